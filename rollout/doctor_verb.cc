#include <torch/types.h>
#include <torch/version.h>

#include <cstdio>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "model/device.h"
#include "proto/flags.h"
#include "rollout/verbs.h"

namespace cohort {

int DoctorVerb(const std::vector<std::string>& args) {
  FlagParser parser("doctor",
                    "Says what this machine has and lacks for sampling: one "
                    "line `ok|missing name detail` each.");
  if (const std::optional<int> exit = parser.Parse(args)) return *exit;
  std::printf("ok libtorch %s\n", TORCH_VERSION);
  const absl::StatusOr<at::Device> cuda = OpenDevice("cuda");
  std::printf("%s cuda %s\n", cuda.ok() ? "ok" : "missing",
              cuda.ok() ? "workers sample on it by default"
                        : std::string(cuda.status().message()).c_str());
  std::printf("ok threads %d\n", at::get_num_threads());
  return 0;
}

}  // namespace cohort
