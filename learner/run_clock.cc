#include "learner/run_clock.h"

#include <sys/resource.h>

namespace cohort {
namespace {

double OwnCpuSeconds() {
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) +
           static_cast<double>(time.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

}  // namespace

void RunClock::Continue(const RunSummary& earlier) {
  earlier_wall_s_ = earlier.wall_s;
  earlier_cpu_s_ = earlier.cpu_s;
  earlier_gpu_s_ = earlier.gpu_s;
  earlier_restarts_ = earlier.service_restarts;
}

void RunClock::Update(const RolloutHost* host, RunSummary* totals) const {
  const double wall_s = absl::ToDoubleSeconds(absl::Now() - began_);
  totals->wall_s = earlier_wall_s_ + wall_s;
  totals->gpu_s = earlier_gpu_s_ + wall_s * gpus_;
  totals->cpu_s = earlier_cpu_s_ + OwnCpuSeconds() +
                  (host != nullptr ? host->CpuSeconds() : 0);
  totals->service_restarts =
      earlier_restarts_ + (host != nullptr ? host->restarts() : 0);
}

}  // namespace cohort
