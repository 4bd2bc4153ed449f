// Root-mean-square normalisation.
//
// Source: Zhang and Sennrich, arXiv:1910.07467; as DeepSeek-V3's
// inference/model.py and transformers apply it (statistics in float32).
#pragma once

#include <ATen/core/Tensor.h>

namespace cohort {

// weight * x / sqrt(mean(x^2) + eps) over the last dimension. x: [N, D],
// weight: [D]. Returns [N, D] in x's dtype. Differentiable in both; each row's
// result depends on that row alone.
at::Tensor RmsNorm(const at::Tensor& x, const at::Tensor& weight, double eps);

}  // namespace cohort
