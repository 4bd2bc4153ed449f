// The sandbox's figures among the metrics of the reward service.
#pragma once

#include <memory>

#include "rewards/judge_host.h"
#include "rewards/service_metrics.h"

namespace cohort {

// Adds cohort_sandbox_*: of the sandbox of `host`, which may start late and
// start again.
void WatchSandbox(std::shared_ptr<const JudgeHost> host,
                  ServiceMetrics* metrics);

}  // namespace cohort
