// The half of cohort-learner that needs LibTorch, as a library of its own that
// is loaded when it is first used. LibTorch takes longer to load than anything
// else in a start: verbs that do not need it do without, and the processes of a
// run load it at the same time instead of one after the other.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "configs/config.h"
#include "learner/run_start.h"

namespace cohort {

struct TrainingLibrary {
  // See learner/training_run.h.
  absl::StatusOr<RunEnd> (*run_training)(RunStart* start);
  // A table for people, of the model that the config names.
  absl::StatusOr<std::string> (*planned_memory)(const Config& config);
  int (*loss_verb)(const std::vector<std::string>& args);
  int (*doctor_verb)(const std::vector<std::string>& args);
};

// What the library exports, under this name.
inline constexpr char kTrainingLibraryEntry[] = "CohortTrainingLibrary";
using TrainingLibraryEntry = const TrainingLibrary* (*)();

// Loads it, for the rest of the process.
//   kFailedPrecondition  it, or LibTorch, is not where it was installed
absl::StatusOr<const TrainingLibrary*> LoadTrainingLibrary();

}  // namespace cohort
