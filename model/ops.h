// What the operations on tensors share.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>

namespace cohort {

// True where the kernels of model/kernels compute: float32 on the CPU. All else
// (CUDA, and float64 in tests) is composed of LibTorch's own operations.
inline bool RunsOnKernels(const at::Tensor& x) {
  return x.device().is_cpu() && x.scalar_type() == at::kFloat;
}

// Either may be undefined.
inline bool NeedsGraph(const at::Tensor& a, const at::Tensor& b) {
  return at::GradMode::is_enabled() && ((a.defined() && a.requires_grad()) ||
                                        (b.defined() && b.requires_grad()));
}

inline float* Data(at::Tensor& x) { return x.mutable_data_ptr<float>(); }
inline const float* ConstData(const at::Tensor& x) {
  return x.const_data_ptr<float>();
}

// Throws unless all of `index`, int64 on the CPU, lie in [0, end): the kernels
// read and write memory by them.
void CheckIndices(const at::Tensor& index, int64_t end, const char* what);

// c = a b, or c += a b; float32 on the CPU. a may have any strides, b and c
// rows of adjacent values. The chains are Linear's.
void MatMulInto(const at::Tensor& a, const at::Tensor& b, bool accumulate,
                const at::Tensor& c);

}  // namespace cohort
