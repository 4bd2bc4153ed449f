#include <ATen/Parallel.h>
#include <sqlite3.h>
#include <torch/types.h>
#include <torch/version.h>

#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "grpcpp/grpcpp.h"
#include "learner/experience_store.h"
#include "learner/learner_service.h"
#include "learner/lease_book.h"
#include "learner/verbs.h"
#include "learner/weight_board.h"
#include "model/device.h"
#include "proto/flags.h"
#include "proto/rpc_server.h"

namespace cohort {
namespace {

// One line: ok|missing, what, detail. Returns `ok`.
bool Report(bool ok, const char* name, const std::string& detail) {
  std::printf("%s %s %s\n", ok ? "ok" : "missing", name, detail.c_str());
  return ok;
}

bool ReportLoopback() {
  LeaseBook book(absl::Minutes(1));
  WeightBoard board;
  LearnerService service({}, &book, nullptr, &board, nullptr);
  const absl::StatusOr<std::unique_ptr<RpcServer>> server =
      RpcServer::Start("127.0.0.1:0", Learner::service_full_name(), &service);
  return Report(server.ok(), "loopback",
                server.ok() ? "could listen on " + (*server)->address()
                            : std::string(server.status().message()));
}

}  // namespace

int DoctorVerb(const std::vector<std::string>& args) {
  FlagParser parser("doctor",
                    "Says what this machine has and lacks for training: one "
                    "line `ok|missing name detail` each.");
  if (const std::optional<int> exit = parser.Parse(args)) return *exit;
  Report(true, "libtorch", TORCH_VERSION);
  Report(true, "grpc", grpc::Version());
  Report(true, "sqlite", sqlite3_libversion());
  Report(true, "cores", absl::StrCat(std::thread::hardware_concurrency()));
  const absl::StatusOr<at::Device> cuda = OpenDevice("cuda");
  Report(cuda.ok(), "cuda",
         cuda.ok() ? cuda->str() : std::string(cuda.status().message()));
  return ReportLoopback() ? 0 : kExitFailed;
}

}  // namespace cohort
