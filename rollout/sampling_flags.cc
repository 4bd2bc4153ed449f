#include "rollout/sampling_flags.h"

#include <algorithm>
#include <cmath>

namespace cohort {

void AddSamplingFlags(FlagParser* parser, SamplingFlags* flags) {
  parser->Flag("n", &flags->n, "N", "completions per row");
  parser->Flag("temperature", &flags->temperature, "T", "0 is greedy");
  parser->Flag("top-p", &flags->top_p, "P", "nucleus; 1 keeps all");
  parser->Flag("top-k", &flags->top_k, "K", "the likeliest; 0 keeps all");
  parser->Flag("max-tokens", &flags->max_tokens, "N", "longest completion");
  parser->Flag("stop", &flags->stop, "TEXT", "ends a completion; repeatable");
  parser->Flag("seed", &flags->seed, "SEED", "of the random numbers");
  parser->Flag("tokenizer", &flags->tokenizer, "NAME",
               "bytes: one token per byte; default: the folder's");
  parser->Flag("max-sequences", &flags->max_sequences, "N",
               "completions under way at the same time");
}

std::string CheckSamplingFlags(const SamplingFlags& flags) {
  if (flags.n < 1 || flags.max_tokens < 1 || flags.max_sequences < 1) {
    return "flags --n, --max-tokens and --max-sequences must be positive";
  }
  if (!(flags.temperature >= 0) || !std::isfinite(flags.temperature)) {
    return "flag --temperature must be 0 or positive";
  }
  if (!(flags.top_p > 0 && flags.top_p <= 1)) {
    return "flag --top-p must be above 0 and at most 1";
  }
  if (flags.top_k < 0) return "flag --top-k must not be negative";
  if (std::count(flags.stop.begin(), flags.stop.end(), "") > 0) {
    return "flag --stop must not be empty";
  }
  if (!flags.tokenizer.empty() && flags.tokenizer != "bytes") {
    return "flag --tokenizer must be bytes or absent";
  }
  return "";
}

Sampling SamplingOf(const SamplingFlags& flags,
                    const std::vector<int64_t>& end_tokens) {
  Sampling sampling;
  sampling.set_group_size(flags.n);
  sampling.set_temperature(flags.temperature);
  sampling.set_top_p(flags.top_p);
  sampling.set_top_k(flags.top_k);
  sampling.set_max_completion_tokens(flags.max_tokens);
  sampling.mutable_stop()->Assign(flags.stop.begin(), flags.stop.end());
  for (const int64_t token : end_tokens) {
    sampling.add_end_tokens(static_cast<int32_t>(token));
  }
  sampling.set_seed(flags.seed);
  return sampling;
}

}  // namespace cohort
