// Where a run stands, and its form in a checkpoint.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "learner/summary.h"

namespace cohort {

// Where a run stands after step `step`. There is no generator to save: every
// draw is keyed by what is drawn.
struct TrainerState {
  int64_t step = 0;            // Steps done, over all stages.
  int64_t policy_version = 0;  // 0 is the loaded checkpoint.
  int64_t stage = 0;           // Index of the stage under way.
  int64_t stage_step = 0;      // Steps done in it.
  std::string prompt_cursor;   // Empty: the stage's beginning.
  int64_t optimizer_steps = 0;

  int64_t best_step = -1;  // -1: none yet.
  double best_score = -std::numeric_limits<double>::infinity();
  std::vector<int64_t> stage_ends;  // Steps; their checkpoints are kept.

  RunSummary totals;  // So far; lives before this one included.
};

std::string PrintState(const TrainerState& state);

// kDataLoss: not what PrintState wrote; `name` is the file's.
absl::StatusOr<TrainerState> ParseState(const std::string& json,
                                        const std::string& name);

}  // namespace cohort
