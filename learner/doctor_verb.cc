#include <ATen/Parallel.h>
#include <sqlite3.h>
#include <torch/types.h>
#include <torch/version.h>

#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "grpcpp/grpcpp.h"
#include "learner/training_verbs.h"
#include "model/device.h"
#include "proto/doctor.h"
#include "proto/flags.h"

namespace cohort {

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
