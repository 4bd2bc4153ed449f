#include "learner/checkpoint_folders.h"

#include <algorithm>
#include <filesystem>
#include <functional>
#include <system_error>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "proto/rows.h"
#include "proto/status.h"

namespace cohort {
namespace {

namespace fs = std::filesystem;

// The step of "step_000100"; -1 for any other name.
int64_t StepOf(const std::string& name) {
  int64_t step = -1;
  if (!absl::StartsWith(name, "step_") ||
      !absl::SimpleAtoi(name.substr(5), &step)) {
    return -1;
  }
  return step;
}

}  // namespace

std::string CheckpointName(int64_t step) {
  return absl::StrFormat("step_%06d", step);
}

absl::StatusOr<std::optional<std::string>> FindCheckpoint(
    const std::string& checkpoints) {
  std::error_code error;
  const std::string latest = checkpoints + "/latest";
  const fs::path name = fs::read_symlink(latest, error);
  const bool named = !error;
  const std::string path = checkpoints + "/" + name.string();
  if (named && !fs::exists(path)) {
    // A crash between the two renames of SaveCheckpoint.
    fs::rename(path + ".old" + kCheckpointUnfinished, path, error);
  }
  for (const fs::directory_entry& entry :
       fs::directory_iterator(checkpoints, error)) {
    if (absl::EndsWith(entry.path().string(), kCheckpointUnfinished)) {
      fs::remove_all(entry.path(), error);
    }
  }
  if (!named) return std::optional<std::string>();
  if (!fs::exists(path + kCheckpointState + "/state.json")) {
    return absl::DataLossError(
        absl::StrCat(latest, ": names no whole checkpoint"));
  }
  return std::optional<std::string>(path);
}

absl::StatusOr<TrainerState> LoadState(const std::string& checkpoint) {
  const std::string path = checkpoint + kCheckpointState + "/state.json";
  COHORT_ASSIGN_OR_RETURN(const std::string json, ReadFile(path));
  return ParseState(json, path);
}

absl::Status RemoveOldCheckpoints(const std::string& checkpoints,
                                  const TrainerState& state, int keep) {
  std::error_code error;
  std::vector<int64_t> steps;
  for (const fs::directory_entry& entry :
       fs::directory_iterator(checkpoints, error)) {
    const int64_t step = StepOf(entry.path().filename().string());
    const bool kept =
        step == state.best_step ||
        std::find(state.stage_ends.begin(), state.stage_ends.end(), step) !=
            state.stage_ends.end();
    if (step >= 0 && !kept) steps.push_back(step);
  }
  if (error) return absl::ErrnoToStatus(error.value(), checkpoints);
  std::sort(steps.begin(), steps.end(), std::greater<>());
  for (size_t i = std::max(keep, 1); i < steps.size(); ++i) {
    const std::string path = checkpoints + "/" + CheckpointName(steps[i]);
    fs::remove_all(path, error);
    if (error) return absl::ErrnoToStatus(error.value(), path);
  }
  return absl::OkStatus();
}

}  // namespace cohort
