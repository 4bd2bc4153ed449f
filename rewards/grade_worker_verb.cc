#include <optional>

#include "proto/flags.h"
#include "rewards/grade_worker.h"
#include "rewards/graders.h"
#include "rewards/verbs.h"

namespace cohort {

int GradeWorkerVerb(const std::vector<std::string>& args) {
  FlagParser parser(kGradeWorkerVerb,
                    "Grades what the reward server that started it sends.");
  if (const std::optional<int> exit = parser.Parse(args)) return *exit;
  return RunGradeWorker(MakeGraders({}), WorkerLimits(), /*socket=*/0);
}

}  // namespace cohort
