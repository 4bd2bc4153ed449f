#include <gmp.h>

#include <optional>
#include <string>

#include "grpcpp/grpcpp.h"
#include "proto/doctor.h"
#include "proto/flags.h"
#include "rewards/graders.h"
#include "rewards/verbs.h"

namespace cohort {

int DoctorVerb(const std::vector<std::string>& args) {
  FlagParser parser("doctor",
                    "Says what this machine has and lacks for grading: one "
                    "line `ok|missing name detail` each.");
  if (const std::optional<int> exit = parser.Parse(args)) return *exit;
  Report(true, "verifiers", KnownVerifiers(MakeGraders()));
  Report(true, "grpc", grpc::Version());
  Report(true, "gmp", gmp_version);
  return ReportLoopback() ? 0 : kExitFailed;
}

}  // namespace cohort
