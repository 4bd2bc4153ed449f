// What the stages of a run read, loaded before the run begins, so that a file
// that is missing or bad is met at the door.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "configs/config.h"
#include "learner/policy_folder.h"
#include "learner/prompt_source.h"
#include "learner/text_corpus.h"

namespace cohort {

struct StageData {
  std::optional<StagePrompts> prompts;  // rl
  std::optional<TextCorpus> corpus;     // sft
};

// One entry per stage; empty before `first_stage`. Prompts that leave no room
// for max_completion_tokens and documents beyond the model's positions are
// dropped, and the log says how many.
//   kInvalidArgument  max_completion_tokens exceeds the model's positions
absl::StatusOr<std::vector<StageData>> LoadStages(const Config& config,
                                                  int64_t first_stage,
                                                  const Policy& policy);

}  // namespace cohort
