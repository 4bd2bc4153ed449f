#include <gmp.h>

#include <optional>
#include <string>

#include "grpcpp/grpcpp.h"
#include "proto/doctor.h"
#include "proto/flags.h"
#include "rewards/graders.h"
#include "rewards/language_table.h"
#include "rewards/verbs.h"
#include "sandbox/runner.h"

namespace cohort {
namespace {

// A run that grades no code needs none of this.
void ReportSandbox() {
  const auto sandbox = Sandbox::Start(
      {.languages = BuiltInLanguages(), .slots = 1, .launcher = ""});
  if (!sandbox.ok()) {
    Report(false, "sandbox", std::string(sandbox.status().message()));
    return;
  }
  for (const Capability& capability : (*sandbox)->capabilities()) {
    Report(capability.there, "sandbox-" + capability.name, capability.detail);
  }
  for (const Language& language : (*sandbox)->languages().languages) {
    const std::string tool = MissingTool(language);
    Report(tool.empty(), "language-" + language.name,
           tool.empty() ? language.needs.front() : tool);
  }
}

}  // namespace

int DoctorVerb(const std::vector<std::string>& args) {
  FlagParser parser("doctor",
                    "Says what this machine has and lacks for grading: one "
                    "line `ok|missing name detail` each.");
  if (const std::optional<int> exit = parser.Parse(args)) return *exit;
  Report(true, "verifiers", KnownVerifiers(MakeGraders()));
  Report(true, "grpc", grpc::Version());
  Report(true, "gmp", gmp_version);
  ReportSandbox();
  return ReportLoopback() ? 0 : kExitFailed;
}

}  // namespace cohort
