#include "proto/doctor.h"

#include <cstdio>
#include <memory>

#include "absl/status/statusor.h"
#include "proto/rewards.grpc.pb.h"
#include "proto/rpc_server.h"

namespace cohort {

bool Report(bool ok, const std::string& name, const std::string& detail) {
  std::printf("%s %s %s\n", ok ? "ok" : "missing", name.c_str(),
              detail.c_str());
  return ok;
}

bool ReportLoopback() {
  Rewards::Service unused;  // Any service: nothing is called.
  const absl::StatusOr<std::unique_ptr<RpcServer>> server =
      RpcServer::Start("127.0.0.1:0", Rewards::service_full_name(), &unused);
  return Report(server.ok(), "loopback",
                server.ok() ? "could listen on " + (*server)->address()
                            : std::string(server.status().message()));
}

}  // namespace cohort
