// The fields of every config struct, once: reading, printing and listing all go
// through these. A field that is missing here cannot be set, and a test says
// so.
//
//   visit("top_p", c.top_p, Limit{.above = 0, .at_most = 1});
#pragma once

#include <limits>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "configs/config.h"

namespace cohort {

// What a value may be. Durations are in seconds.
struct Limit {
  double at_least = -std::numeric_limits<double>::infinity();
  double above = -std::numeric_limits<double>::infinity();
  double at_most = std::numeric_limits<double>::infinity();
  double below = std::numeric_limits<double>::infinity();
  std::vector<std::string> words = {};  // Of a text; none: any text.
};

inline Limit AtLeast(double least) { return {.at_least = least}; }
inline Limit Above(double bound) { return {.above = bound}; }
inline Limit FromTo(double least, double most) {
  return {.at_least = least, .at_most = most};
}
inline Limit OneOf(std::vector<std::string> words) {
  return {.words = std::move(words)};
}

// `C` is `Struct`, or const.
template <typename C, typename Struct>
concept Of = std::is_same_v<std::remove_const_t<C>, Struct>;

template <typename Visitor, Of<RunConfig> C>
void Visit(Visitor& visit, C& c) {
  visit("dir", c.dir);
  visit("seed", c.seed, AtLeast(0));
  visit("local_workers", c.local_workers, AtLeast(0));
  visit("listen", c.listen);
  visit("token_file", c.token_file);
  visit("tls_certificate", c.tls_certificate);
  visit("tls_key", c.tls_key);
  visit("tls_authority", c.tls_authority);
  visit("device", c.device, OneOf({"auto", "cpu", "cuda"}));
  visit("checkpoint_every", c.checkpoint_every, AtLeast(1));
  visit("keep_checkpoints", c.keep_checkpoints, AtLeast(1));
  visit("price_per_cpu_hour", c.price_per_cpu_hour, AtLeast(0));
  visit("price_per_gpu_hour", c.price_per_gpu_hour, AtLeast(0));
}

template <typename Visitor, Of<ModelSection> C>
void Visit(Visitor& visit, C& c) {
  visit("checkpoint", c.checkpoint);
  visit("tokenizer", c.tokenizer, OneOf({"", "bytes"}));
  visit("init", c.init, OneOf({"", "fan_in", "normal"}));
  visit("embedding_std", c.embedding_std, Above(0));
  visit("allow_nonfinite", c.allow_nonfinite);
}

template <typename Visitor, Of<RolloutConfig> C>
void Visit(Visitor& visit, C& c) {
  visit("group_size", c.group_size, AtLeast(1));
  visit("temperature", c.temperature, AtLeast(0));
  visit("top_p", c.top_p, Limit{.above = 0, .at_most = 1});
  visit("top_k", c.top_k, AtLeast(0));
  visit("max_completion_tokens", c.max_completion_tokens, AtLeast(1));
  visit("stop", c.stop);
  visit("max_sequences", c.max_sequences, AtLeast(1));
  visit("lease_prompts", c.lease_prompts, AtLeast(1));
  visit("threads", c.threads, AtLeast(1));
  visit("block_tokens", c.block_tokens, AtLeast(1));
  visit("speculative", c.speculative);
  visit("lease_timeout", c.lease_timeout, Above(0));
}

template <typename Visitor, Of<RewardsConfig> C>
void Visit(Visitor& visit, C& c) {
  visit("address", c.address);
  visit("accuracy_weight", c.accuracy_weight, AtLeast(0));
  visit("format_weight", c.format_weight, AtLeast(0));
  visit("format", c.format, OneOf({"r1", "compact"}));
  visit("math_policy", c.math_policy);
  visit("length_weight", c.length_weight, AtLeast(0));
  visit("length", c.length, OneOf({"overlong", "effort"}));
  visit("overlong_tokens", c.overlong_tokens, AtLeast(0));
  visit("effort_tokens", c.effort_tokens, Above(0));
  visit("effort_cap", c.effort_cap, Above(0));
  visit("effort_decay", c.effort_decay, Above(0));
  visit("schedule", c.schedule);
  visit("timeout", c.timeout, Above(0));
  visit("workers", c.workers, AtLeast(1));
  visit("allow_weak", c.allow_weak);
  visit("max_waiting", c.max_waiting, AtLeast(0));
  visit("audit_share", c.audit_share, FromTo(0, 1));
  visit("external", c.external);
}

template <typename Visitor, Of<PromptSetConfig> C>
void Visit(Visitor& visit, C& c) {
  visit("file", c.file);
  visit("fields", c.fields);
  visit("verifier", c.verifier);
  visit("max_prompt_tokens", c.max_prompt_tokens, AtLeast(0));
  visit("weight", c.weight, Above(0));
}

template <typename Visitor, Of<LearnerConfig> C>
void Visit(Visitor& visit, C& c) {
  visit("prompts", c.prompts);
  visit("prompts_per_step", c.prompts_per_step, AtLeast(1));
  visit("minibatches", c.minibatches, AtLeast(1));
  visit("learning_rate", c.learning_rate, AtLeast(0));
  visit("warmup_steps", c.warmup_steps, AtLeast(0));
  visit("schedule", c.schedule, OneOf({"constant", "linear", "cosine"}));
  visit("final_rate", c.final_rate, FromTo(0, 1));
  visit("beta1", c.beta1, Limit{.at_least = 0, .below = 1});
  visit("beta2", c.beta2, Limit{.at_least = 0, .below = 1});
  visit("adam_epsilon", c.adam_epsilon, Above(0));
  visit("weight_decay", c.weight_decay, AtLeast(0));
  visit("gradient_clip", c.gradient_clip, AtLeast(0));
  visit("advantage", c.advantage,
        OneOf({"std", "mean", "rloo", "batch_std", "reinforce_pp"}));
  visit("aggregation", c.aggregation,
        OneOf({"sequence_mean", "token_mean", "constant"}));
  visit("loss_constant", c.loss_constant, Above(0));
  visit("objective", c.objective, OneOf({"clip", "cispo"}));
  visit("ratio_level", c.ratio_level, OneOf({"token", "sequence", "product"}));
  visit("cispo_max", c.cispo_max, Above(0));
  visit("off_policy_mask", c.off_policy_mask, AtLeast(0));
  visit("filter_truncated", c.filter_truncated);
  visit("clip_low", c.clip_low, AtLeast(0));
  visit("clip_high", c.clip_high, AtLeast(0));
  visit("dual_clip", c.dual_clip, AtLeast(0));
  visit("kl_weight", c.kl_weight, AtLeast(0));
  visit("kl_estimator", c.kl_estimator,
        OneOf({"k1", "k2", "k3", "k3_unbiased"}));
  visit("reference_refresh_steps", c.reference_refresh_steps, AtLeast(0));
  visit("max_staleness", c.max_staleness, AtLeast(0));
  visit("refill_groups", c.refill_groups, AtLeast(0));
  visit("microbatch_tokens", c.microbatch_tokens, AtLeast(1));
  visit("router_bias_rate", c.router_bias_rate, AtLeast(0));
  visit("router_bias_frozen_tail", c.router_bias_frozen_tail, FromTo(0, 1));
  visit("mtp_weight", c.mtp_weight, AtLeast(0));
  visit("corpus", c.corpus);
  visit("corpus_field", c.corpus_field);
  visit("documents_per_step", c.documents_per_step, AtLeast(1));
  visit("eval_prompts", c.eval_prompts);
  visit("eval_every", c.eval_every, AtLeast(0));
  visit("eval_limit", c.eval_limit, AtLeast(0));
  visit("eval_samples", c.eval_samples, AtLeast(0));
  visit("threads", c.threads, AtLeast(0));
  visit("keep_groups_steps", c.keep_groups_steps, AtLeast(0));
}

template <typename Visitor, Of<ExportConfig> C>
void Visit(Visitor& visit, C& c) {
  visit("file", c.file);
  visit("correct", c.correct);
  visit("min_completion_tokens", c.min_completion_tokens, AtLeast(0));
  visit("max_completion_tokens", c.max_completion_tokens, AtLeast(0));
  visit("min_pass_rate", c.min_pass_rate, FromTo(0, 1));
  visit("max_pass_rate", c.max_pass_rate, FromTo(0, 1));
  visit(
      "language", c.language,
      OneOf({"", "ar", "el", "en", "he", "hi", "ja", "ko", "ru", "th", "zh"}));
  visit("max_paragraph", c.max_paragraph, AtLeast(0));
  visit("no_code", c.no_code);
  visit("decontaminate", c.decontaminate);
  visit("ngram", c.ngram, AtLeast(1));
  visit("duplicates", c.duplicates, OneOf({"keep", "exact", "near"}));
  visit("similarity", c.similarity, Limit{.above = 0, .at_most = 1});
  visit("per_prompt", c.per_prompt, AtLeast(0));
  visit("token_ids", c.token_ids);
}

// What is a stage's own; the sections in force there overlay the top level's.
template <typename Visitor, Of<StageConfig> C>
void Visit(Visitor& visit, C& c) {
  visit("kind", c.kind);
  visit("name", c.name);
  visit("steps", c.steps, AtLeast(1));
}

// The sections a stage may state; `visit` takes (key, section).
template <typename Visitor, typename C>
requires Of<C, StageConfig> || Of<C, Config>
void VisitStageSections(Visitor& visit, C& c) {
  visit("rollout", c.rollout);
  visit("rewards", c.rewards);
  visit("learner", c.learner);
}

// Every section of the top level; `visit` takes (key, section). The stages are
// the one key beside them.
template <typename Visitor, Of<Config> C>
void VisitSections(Visitor& visit, C& c) {
  visit("run", c.run);
  visit("model", c.model);
  VisitStageSections(visit, c);
  visit("export", c.sink);
}

}  // namespace cohort
