// The knobs of the learner; see configs/config.h.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace cohort {

// One file of prompts. In YAML also just the file's name.
struct PromptSetConfig {
  std::string file;
  // Cohort's field name -> the file's own.
  std::map<std::string, std::string> fields;
  // For rows that name none.
  std::string verifier;
  // Longer prompts are dropped and counted; 0: what the model's positions
  // leave.
  int max_prompt_tokens = 0;
  // Share of this file in a mix.
  double weight = 1.0;

  friend bool operator==(const PromptSetConfig&,
                         const PromptSetConfig&) = default;
};

struct LearnerConfig {
  // Prompt files: a name, {file, fields, verifier, max_prompt_tokens, weight},
  // or a list of these (a mix).
  std::vector<PromptSetConfig> prompts;
  // Prompts (groups) per optimizer step (DeepSeek-R1: 32).
  int prompts_per_step = 32;
  // Minibatches a step's groups are split into, one optimizer step each.
  int minibatches = 1;
  // Peak learning rate of AdamW.
  double learning_rate = 1e-6;
  // Steps of linear warm-up.
  int warmup_steps = 0;
  // constant, linear or cosine decay over the stage's steps.
  std::string schedule = "constant";
  // Learning rate at the end of the decay, as a share of the peak.
  double final_rate = 0.1;
  // AdamW's first and second decay (DeepSeek-V3, arXiv:2412.19437: 0.9, 0.95).
  double beta1 = 0.9;
  double beta2 = 0.95;
  double adam_epsilon = 1e-8;
  // Decay of matrices; norms, biases and embeddings have none.
  double weight_decay = 0.0;
  // Largest global gradient norm; 0: no clipping.
  double gradient_clip = 1.0;
  // Of a reward r in its group: std, (r - mean) / (std + 1e-4) (DeepSeekMath,
  // arXiv:2402.03300); mean, r - mean (Dr. GRPO, arXiv:2503.20783); rloo,
  // r - mean of the others (RLOO, arXiv:2402.14740); batch_std, (r - mean) over
  // the std of the step's rewards; reinforce_pp, mean and std of all the step's
  // tokens (REINFORCE++, arXiv:2501.03262).
  std::string advantage = "std";
  // How token terms become one loss, by counts over the whole minibatch:
  // sequence_mean (GRPO), token_mean (DAPO, arXiv:2503.14476) or constant
  // (Dr. GRPO: the sum over loss_constant * trajectories).
  std::string aggregation = "sequence_mean";
  // Divisor per trajectory under aggregation: constant, in tokens.
  double loss_constant = 1024;
  // The policy term: clip (PPO's, GRPO) or cispo (MiniMax-M1,
  // arXiv:2506.13585).
  std::string objective = "clip";
  // Whose probability ratio: token; sequence, the geometric mean of a
  // trajectory's (GSPO, arXiv:2507.18071); or product, of whole trajectories as
  // DeepSeek-R1 (arXiv:2501.12948) writes it, the penalty likewise.
  std::string ratio_level = "token";
  // Largest ratio under objective: cispo.
  double cispo_max = 5.0;
  // Trajectories of negative advantage that became less likely by more than
  // this, in nats a token, teach nothing (DeepSeek-V3.2, arXiv:2512.02556); 0:
  // all teach.
  double off_policy_mask = 0.0;
  // Trajectories that the length limit cut off teach nothing (DAPO's overlong
  // filtering).
  bool filter_truncated = false;
  // The ratio is clipped to [1 - clip_low, 1 + clip_high].
  double clip_low = 0.2;
  double clip_high = 0.2;
  // Upper bound of the ratio where the advantage is negative (dual clip,
  // arXiv:1912.09729); 0: none.
  double dual_clip = 0.0;
  // Weight of the KL penalty; 0 loads no reference.
  double kl_weight = 0.001;
  // k1, k2, k3 (joschu.net/blog/kl-approx) or k3_unbiased (times the ratio,
  // DeepSeek-V3.2).
  std::string kl_estimator = "k3";
  // Steps between replacing the reference by the policy; 0: never
  // (DeepSeek-R1: 400).
  int reference_refresh_steps = 0;
  // Oldest policy a group may be from, in versions; 0 is the synchronous mode.
  int max_staleness = 0;
  // Groups without spread are replaced by new ones up to this many times the
  // step's prompts (DAPO's dynamic sampling); 0: never.
  int refill_groups = 0;
  // Packed tokens in one forward; bounds memory, never changes the objective.
  int microbatch_tokens = 8192;
  // Step of the MoE correction bias towards equal loads (DeepSeek-V3: 0.001 in
  // pre-training); 0: frozen.
  double router_bias_rate = 0.0;
  // Share of the stage's steps at its end in which the bias is frozen.
  double router_bias_frozen_tail = 0.0;
  // SFT: weight of the multi-token prediction head's loss (DeepSeek-V3: 0.3,
  // later 0.1); 0: the head stays as it is.
  double mtp_weight = 0.0;
  // SFT: file of texts (.jsonl or .txt).
  std::string corpus;
  // SFT: field of a .jsonl corpus.
  std::string corpus_field = "text";
  // SFT: documents per optimizer step.
  int documents_per_step = 32;
  // Held-out prompts; none: no evaluation.
  std::vector<PromptSetConfig> eval_prompts;
  // Steps between evaluations, beside those before and after; 0: only those.
  int eval_every = 0;
  // Most prompts per evaluation; 0: all.
  int eval_limit = 0;
  // Completions per prompt at temperature 1 in an evaluation; the greedy one
  // comes on top.
  int eval_samples = 1;
  // Threads of the learner's tensor work; 0: all cores.
  int threads = 0;
  // Steps whose groups stay in the store with their tokens; 0: all.
  int keep_groups_steps = 0;
  bool operator==(const LearnerConfig&) const = default;
};

}  // namespace cohort
