#include "learner/planned_memory.h"

#include <torch/types.h>

#include <algorithm>
#include <cstdint>

#include "absl/strings/str_format.h"
#include "model/checkpoint.h"
#include "model/kv_cache.h"
#include "model/model_config.h"
#include "proto/status.h"

namespace cohort {

absl::StatusOr<std::string> PlannedMemory(const Config& config) {
  COHORT_ASSIGN_OR_RETURN(const ModelConfig model,
                          LoadModelConfig(config.model.checkpoint));
  const int64_t weights = model.ParameterCount() * 4;  // float32
  bool reference = false;
  int64_t longest = 0;
  int64_t sequences = 0;
  int64_t layers = model.num_hidden_layers;
  for (const StageConfig& stage : config.stages) {
    if (stage.kind != "rl") continue;
    reference = reference || stage.learner.kl_weight != 0;
    // Prompts are short beside completions: a model's positions bound both.
    longest = std::max<int64_t>(
        longest, std::min<int64_t>(model.max_position_embeddings,
                                   2 * stage.rollout.max_completion_tokens));
    sequences = std::max<int64_t>(sequences, stage.rollout.max_sequences);
    if (stage.rollout.speculative) layers = model.num_hidden_layers + 1;
  }
  const int64_t cache =
      sequences * longest * layers * KvCache::BytesPerToken(model, at::kFloat);
  std::string text = "planned memory:\n";
  const auto line = [&text](const char* what, int64_t bytes) {
    absl::StrAppendFormat(&text, "  %-42s %10.1f MiB\n", what,
                          static_cast<double>(bytes) / (1 << 20));
  };
  line("learner: weights", weights);
  line("learner: gradients", weights);
  line("learner: AdamW's moments", 2 * weights);
  if (reference) line("learner: reference", weights);
  if (sequences > 0) {
    line("learner: published weights", weights);
    line("each worker: weights", weights);
    line("each worker: attention cache, at most", cache);
  }
  return text;
}

}  // namespace cohort
