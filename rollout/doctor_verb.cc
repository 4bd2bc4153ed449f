#include <ATen/Parallel.h>
#include <torch/types.h>
#include <torch/version.h>

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "grpcpp/grpcpp.h"
#include "model/device.h"
#include "proto/doctor.h"
#include "proto/flags.h"
#include "rollout/verbs.h"

namespace cohort {

// The CPU suffices for the default run, so nothing that is missing fails it.
int DoctorVerb(const std::vector<std::string>& args) {
  FlagParser parser("doctor",
                    "Says what this machine has and lacks for sampling: one "
                    "line `ok|missing name detail` each.");
  if (const std::optional<int> exit = parser.Parse(args)) return *exit;
  Report(true, "libtorch", TORCH_VERSION);
  Report(true, "grpc", grpc::Version());
  Report(true, "threads", absl::StrCat(at::get_num_threads()));
  const absl::StatusOr<at::Device> cuda = OpenDevice("cuda");
  Report(cuda.ok(), "cuda",
         cuda.ok() ? cuda->str() : std::string(cuda.status().message()));
  return 0;
}

}  // namespace cohort
