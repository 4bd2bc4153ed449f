// How a run begins, before any tensor: its folder is locked, its state read,
// and the processes beside the learner are started, so that they load while the
// learner does.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "configs/config.h"
#include "learner/rollout_host.h"
#include "learner/run_dir.h"
#include "learner/run_signal.h"
#include "learner/state_json.h"

namespace cohort {

struct RunStart {
  const Config* config = nullptr;
  RunSignal* signal = nullptr;
  RunDir dir;
  std::string checkpoint;  // To go on from; empty: none.
  TrainerState state;
  // Null where no rl stage is left. Local workers are started already where the
  // stage under way is one.
  std::unique_ptr<RolloutHost> host;
};

// What became of a run.
struct RunEnd {
  bool finished = false;  // Or stopped.
  int64_t step = 0;       // The last one done.
};

// `config` and `signal` must outlive what is returned.
//   resume: continue from the newest checkpoint, where there is one
//   kAlreadyExists, kFailedPrecondition and others: as RunDir::Open says
absl::StatusOr<RunStart> StartRun(const Config& config, bool resume,
                                  RunSignal* signal);

}  // namespace cohort
