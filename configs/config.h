// Every knob, once: plain structs with defaults, units and sources. configs/
// config.cc reads them from strict YAML and writes them back; the comment above
// a field is what `scripts/dev keys` prints for it.
//
// Durations are written as 30s, 10m; sizes as 2GiB. Paths are relative to the
// working directory.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace cohort {

struct RunConfig {
  // Folder of the run; empty: runs/<config name>.
  std::string dir;
  // Seeds data order, sampling and new weights.
  int64_t seed = 0;
  // Rollout workers started on this machine, with a reward server; 0: workers
  // and reward server are started elsewhere and dial in.
  int local_workers = 2;
  // Address the learner listens on for workers; port 0 picks a free one.
  std::string listen = "127.0.0.1:0";
  // auto (a GPU where there is one), cpu or cuda.
  std::string device = "auto";
  // Optimizer steps between checkpoints.
  int checkpoint_every = 10;
  // Newest checkpoints kept, beside the best one.
  int keep_checkpoints = 2;
  bool operator==(const RunConfig&) const = default;
};

struct ModelSection {
  // Hugging Face folder: config.json, weights, tokenizer.json.
  std::string checkpoint;
  // Empty: the folder's tokenizer.json; bytes: one token per byte.
  std::string tokenizer;
  // Empty: load the folder's weights. fan_in: new weights, linears
  // N(0, 1/fan_in) with residual outputs halved; normal: N(0,
  // initializer_range) everywhere.
  std::string init;
  // Standard deviation of new embeddings under init: fan_in.
  double embedding_std = 0.5;
  // Load weights that are NaN or infinite, with a warning that counts them.
  bool allow_nonfinite = false;
  bool operator==(const ModelSection&) const = default;
};

struct RolloutConfig {
  // Completions per prompt (DeepSeek-R1, arXiv:2501.12948: 16).
  int group_size = 16;
  // Sampling temperature; 0 is greedy.
  double temperature = 1.0;
  // Nucleus: the smallest set of tokens with at least this probability.
  double top_p = 1.0;
  // Only the k most likely tokens; 0: all.
  int top_k = 0;
  // Longest completion, the end token included.
  int max_completion_tokens = 1024;
  // Texts that end a completion.
  std::vector<std::string> stop;
  // Sequences under way in one worker.
  int max_sequences = 256;
  // Prompts handed to a worker at a time.
  int lease_prompts = 4;
  // Threads of a worker's engine.
  int threads = 1;
  // Tokens in one block of the latent cache.
  int block_tokens = 16;
  // A group not delivered in this time is given to another worker.
  absl::Duration lease_timeout = absl::Minutes(10);
  bool operator==(const RolloutConfig&) const = default;
};

struct RewardsConfig {
  // Address of a reward server; empty: `train` starts one.
  std::string address;
  // Weight of the verifier's score in the reward.
  double accuracy_weight = 1.0;
  // Weight of the format score in the reward.
  double format_weight = 0.0;
  // Shape that the format score asks for: r1 (<think>..</think>
  // <answer>..</answer>) or compact ([..]{..}).
  std::string format = "r1";
  // Time limit for grading one group, all attempts together.
  absl::Duration timeout = absl::Minutes(2);
  // Grading threads of the reward server.
  int workers = 2;
  bool operator==(const RewardsConfig&) const = default;
};

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
  // std: (r - mean) / (std + 1e-4) (DeepSeekMath, arXiv:2402.03300); mean:
  // r - mean (Dr. GRPO, arXiv:2503.20783).
  std::string advantage = "std";
  // How token terms become one loss, by counts over the whole minibatch:
  // sequence_mean (GRPO), token_mean (DAPO, arXiv:2503.14476) or constant
  // (Dr. GRPO: the sum over loss_constant * trajectories).
  std::string aggregation = "sequence_mean";
  // Divisor per trajectory under aggregation: constant, in tokens.
  double loss_constant = 1024;
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

// One stage: its kind, and every section as it is in force there.
struct StageConfig {
  // sft or rl.
  std::string kind;
  // Names the stage in group ids and metrics; empty: its kind, with a number
  // where that is taken.
  std::string name;
  // Optimizer steps.
  int steps = 0;
  RolloutConfig rollout;
  RewardsConfig rewards;
  LearnerConfig learner;
  bool operator==(const StageConfig&) const = default;
};

struct Config {
  RunConfig run;
  ModelSection model;
  std::vector<StageConfig> stages;
  RolloutConfig rollout;
  RewardsConfig rewards;
  LearnerConfig learner;
  bool operator==(const Config&) const = default;
};

// Reads `path`, applies `overrides` ("learner.learning_rate=1e-4",
// "stages.1.steps=20") in order and checks every value. A stage's sections
// start as the top-level ones and take what the stage states. An override has
// the last word: one of a top-level section holds in every stage.
//   kNotFound         no such file
//   kInvalidArgument  "<file>:<line>: unknown key 'lr' in learner; nearest is
//                     'learning_rate'", a wrong type, an impossible value
absl::StatusOr<Config> LoadConfig(const std::string& path,
                                  const std::vector<std::string>& overrides);

// The same from text; `name` stands for the file in errors.
absl::StatusOr<Config> ParseConfig(const std::string& yaml,
                                   const std::string& name,
                                   const std::vector<std::string>& overrides);

// What a learner needs beside valid values: a checkpoint, and for every stage
// what it learns from.
absl::Status CheckTrainable(const Config& config);

// The resolved whole as YAML: reading it gives `config` again.
std::string PrintConfig(const Config& config);

// One section alone, for a worker that is told its settings by the learner.
std::string PrintRollout(const RolloutConfig& rollout);
absl::StatusOr<RolloutConfig> ParseRollout(const std::string& yaml);

// Every key with its default, "learner.learning_rate 1.0e-06", one per line;
// N stands for the place in a list.
std::string ListConfigKeys();

}  // namespace cohort
