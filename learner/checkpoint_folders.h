// The checkpoints of a run as folders: which there are, which to go on from.
//
//   checkpoints/step_000100/
//   checkpoints/step_000100/trainer_state/state.json
//   checkpoints/latest -> step_000100
//
// learner/trainer_state.h writes them. A name that ends in ".unfinished" is not
// a checkpoint yet, or none any more.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "learner/state_json.h"

namespace cohort {

inline constexpr char kCheckpointState[] = "/trainer_state";
inline constexpr char kCheckpointUnfinished[] = ".unfinished";

// "step_000100".
std::string CheckpointName(int64_t step);

// The folder that `latest` names; nullopt where there is none. Removes what a
// crash left unfinished.
absl::StatusOr<std::optional<std::string>> FindCheckpoint(
    const std::string& checkpoints);

absl::StatusOr<TrainerState> LoadState(const std::string& checkpoint);

// Removes all checkpoints but the `keep` newest, the best one and those of
// stage ends.
absl::Status RemoveOldCheckpoints(const std::string& checkpoints,
                                  const TrainerState& state, int keep);

}  // namespace cohort
