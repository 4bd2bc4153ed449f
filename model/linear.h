// y = x W^T, the one matrix product of the model, for sampling and training.
//
// One result for one row: y[m, :] depends on x[m, :] and W alone, bit for bit,
// whatever the number of rows, the row's place among them or the thread count.
// Every output is one chain of fused multiply-adds over k in ascending order;
// threads split rows and columns, never k. (On CUDA the product is cuBLAS's and
// makes no such promise.)
#pragma once

#include <ATen/core/Tensor.h>

namespace cohort {

// x: [N, K] float32 (CPU) or bfloat16/float32 (CUDA), rows may be strided.
// weight: [O, K], same dtype. Returns [N, O]. Differentiable in both.
at::Tensor Linear(const at::Tensor& x, const at::Tensor& weight);

}  // namespace cohort
