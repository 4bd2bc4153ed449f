#include "rewards/sandbox_metrics.h"

#include <string>
#include <utility>

namespace cohort {

void WatchSandbox(std::shared_ptr<const JudgeHost> host,
                  ServiceMetrics* metrics) {
  const auto watch = [&](const std::string& name, const std::string& help,
                         auto read) {
    metrics->Watch("cohort_sandbox_" + name, help, [host, read] {
      return static_cast<double>(read(host->Figures()));
    });
  };
  using Figures = SandboxFigures;
  watch("runs", "Programs that were run.",
        [](const Figures& figures) { return figures.runs; });
  watch("run_seconds", "Sum over runs of their wall time.",
        [](const Figures& figures) {
          return 1e-6 * static_cast<double>(figures.wall_us);
        });
  watch("wait_seconds", "Sum over runs of what they waited for a slot.",
        [](const Figures& figures) {
          return 1e-6 * static_cast<double>(figures.wait_us);
        });
  watch("slots", "Programs that can run at a time.",
        [](const Figures& figures) { return figures.slots; });
  watch("busy_slots", "Programs that are running.",
        [](const Figures& figures) { return figures.slots_busy; });
  watch("leaks", "Runs whose cgroup could not be removed.",
        [](const Figures& figures) { return figures.leaks; });
  for (int v = 0; v <= static_cast<int>(RunVerdict::kIE); ++v) {
    const std::string code(VerdictCode(static_cast<RunVerdict>(v)));
    metrics->Watch("cohort_sandbox_verdicts", "Runs by verdict.",
                   {{"verdict", code}}, [host, code]() -> double {
                     const Figures figures = host->Figures();
                     const auto found = figures.verdicts.find(code);
                     return found == figures.verdicts.end()
                                ? 0.0
                                : static_cast<double>(found->second);
                   });
  }
}

}  // namespace cohort
