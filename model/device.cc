#include "model/device.h"

#include <dlfcn.h>
#include <torch/types.h>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace cohort {
namespace {

// Asks the driver alone, which costs nothing where there is none.
bool HasGpu() {
  void* const driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  if (driver == nullptr) return false;
  using Init = int (*)(unsigned);
  using Count = int (*)(int*);
  const auto init = reinterpret_cast<Init>(dlsym(driver, "cuInit"));
  const auto count = reinterpret_cast<Count>(dlsym(driver, "cuDeviceGetCount"));
  int devices = 0;
  return init != nullptr && count != nullptr && init(0) == 0 &&
         count(&devices) == 0 && devices > 0;
}

// Loads a library for the rest of the process: from the folder it was built
// with, or from wherever the loader finds it.
absl::Status LoadLibrary(const std::string& folder, const std::string& name) {
  std::string errors;
  for (const std::string& path : {absl::StrCat(folder, "/", name), name}) {
    if (dlopen(path.c_str(), RTLD_NOW | RTLD_GLOBAL) != nullptr) {
      return absl::OkStatus();
    }
    absl::StrAppend(&errors, errors.empty() ? "" : "; ", dlerror());
  }
  return absl::FailedPreconditionError(
      absl::StrCat("device cuda: cannot load ", name, ": ", errors));
}

absl::Status LoadCuda() {
  if (!HasGpu()) {
    return absl::FailedPreconditionError(
        "device cuda: this machine has no NVIDIA GPU or no driver for it");
  }
  if (absl::Status loaded = LoadLibrary(COHORT_TORCH_LIB, "libtorch_cuda.so");
      !loaded.ok()) {
    return loaded;
  }
#ifdef COHORT_CUDA_LIB
  if (absl::Status loaded = LoadLibrary(COHORT_CUDA_LIB, "libcohort_cuda.so");
      !loaded.ok()) {
    return loaded;
  }
#endif
  if (!at::globalContext().hasCUDA()) {
    return absl::FailedPreconditionError(
        "device cuda: LibTorch finds no GPU that it can use");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<at::Device> OpenDevice(const std::string& wanted) {
  if (wanted == "cpu") return at::Device(at::kCPU);
  if (wanted == "auto" && !HasGpu()) return at::Device(at::kCPU);
  if (wanted != "auto" && wanted != "cuda") {
    return absl::InvalidArgumentError(
        absl::StrCat("device \"", wanted, "\" is none of auto, cpu, cuda"));
  }
  if (absl::Status loaded = LoadCuda(); !loaded.ok()) return loaded;
  return at::Device(at::kCUDA, 0);
}

at::ScalarType ComputeDtype(const at::Device& device) {
  return device.is_cuda() ? at::kBFloat16 : at::kFloat;
}

absl::StatusOr<at::ScalarType> ChooseDtype(const std::string& wanted,
                                           const at::Device& device) {
  if (wanted.empty()) return ComputeDtype(device);
  if (wanted == "float32") return at::kFloat;
  if (wanted == "bfloat16") return at::kBFloat16;
  return absl::InvalidArgumentError(
      absl::StrCat("dtype \"", wanted, "\" is neither float32 nor bfloat16"));
}

}  // namespace cohort
