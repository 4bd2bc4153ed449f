// Wall, CPU and GPU time of a run over all its lives and processes.
#pragma once

#include <cstdint>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "learner/rollout_host.h"
#include "learner/summary.h"

namespace cohort {

// Single-threaded.
class RunClock {
 public:
  // Adds what earlier lives of the run took.
  void Continue(const RunSummary& earlier);

  // How many GPUs this life of the run holds; none unless told.
  void HoldGpus(int count) { gpus_ = count; }

  // Sets times and restarts in `totals`. `host` may be null.
  void Update(const RolloutHost* host, RunSummary* totals) const;

 private:
  const absl::Time began_ = absl::Now();
  double earlier_wall_s_ = 0;
  double earlier_cpu_s_ = 0;
  double earlier_gpu_s_ = 0;
  int gpus_ = 0;
  int64_t earlier_restarts_ = 0;
};

}  // namespace cohort
