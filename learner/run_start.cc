#include "learner/run_start.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "learner/checkpoint_folders.h"
#include "proto/status.h"

namespace cohort {
namespace {

bool IsRl(const StageConfig& stage) { return stage.kind == "rl"; }

absl::Status StartHost(RunStart* start) {
  const std::vector<StageConfig>& stages = start->config->stages;
  const auto under_way =
      stages.begin() + std::min<int64_t>(start->state.stage,
                                         static_cast<int64_t>(stages.size()));
  if (std::none_of(under_way, stages.end(), IsRl)) return absl::OkStatus();
  COHORT_ASSIGN_OR_RETURN(
      start->host,
      RolloutHost::Begin(*start->config, start->dir.logs(),
                         [signal = start->signal](const absl::Status& failure) {
                           signal->Fail(failure);
                         }));
  if (IsRl(*under_way)) start->host->StartWorkers();
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<RunStart> StartRun(const Config& config, bool resume,
                                  RunSignal* signal) {
  COHORT_ASSIGN_OR_RETURN(RunDir dir, RunDir::Open(config.run.dir, resume));
  RunStart start{.config = &config,
                 .signal = signal,
                 .dir = std::move(dir),
                 .checkpoint = "",
                 .state = {},
                 .host = nullptr};
  COHORT_ASSIGN_OR_RETURN(const std::optional<std::string> checkpoint,
                          FindCheckpoint(start.dir.checkpoints()));
  if (checkpoint.has_value()) {
    start.checkpoint = *checkpoint;
    COHORT_ASSIGN_OR_RETURN(start.state, LoadState(start.checkpoint));
  }
  COHORT_RETURN_IF_ERROR(StartHost(&start));
  return start;
}

}  // namespace cohort
