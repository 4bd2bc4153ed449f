#include <gmp.h>

#include <cstdio>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "grpcpp/grpcpp.h"
#include "proto/flags.h"
#include "proto/rpc_server.h"
#include "rewards/graders.h"
#include "rewards/rewards_service.h"
#include "rewards/verbs.h"

namespace cohort {
namespace {

// One line: ok|missing, what, detail. Returns `ok`.
bool Report(bool ok, const char* name, const std::string& detail) {
  std::printf("%s %s %s\n", ok ? "ok" : "missing", name, detail.c_str());
  return ok;
}

bool ReportLoopback(const GraderMap& graders) {
  RewardsService service(&graders, 1);
  const absl::StatusOr<std::unique_ptr<RpcServer>> server =
      RpcServer::Start("127.0.0.1:0", Rewards::service_full_name(), &service);
  return Report(server.ok(), "loopback",
                server.ok() ? "could listen on " + (*server)->address()
                            : std::string(server.status().message()));
}

}  // namespace

int DoctorVerb(const std::vector<std::string>& args) {
  FlagParser parser("doctor",
                    "Says what this machine has and lacks for grading: one "
                    "line `ok|missing name detail` each.");
  if (const std::optional<int> exit = parser.Parse(args)) return *exit;
  const GraderMap graders = MakeGraders();
  Report(true, "verifiers", KnownVerifiers(graders));
  Report(true, "grpc", grpc::Version());
  Report(true, "gmp", gmp_version);
  return ReportLoopback(graders) ? 0 : kExitFailed;
}

}  // namespace cohort
