// Which device a process computes on. The binaries do not link LibTorch's CUDA
// half: it is loaded here, once, where a GPU is present.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "absl/status/statusor.h"

namespace cohort {

// `wanted`: "auto", "cpu" or "cuda". kFailedPrecondition when cuda is asked for
// and there is none.
absl::StatusOr<at::Device> OpenDevice(const std::string& wanted);

// The dtype that a device computes in: bfloat16 on CUDA, float32 on the CPU.
at::ScalarType ComputeDtype(const at::Device& device);

// `wanted`: "float32", "bfloat16", or empty for the device's own.
absl::StatusOr<at::ScalarType> ChooseDtype(const std::string& wanted,
                                           const at::Device& device);

}  // namespace cohort
