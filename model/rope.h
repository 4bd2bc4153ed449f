// Rotary position embedding, plain or stretched to longer contexts.
//
// Sources: RoPE arXiv:2104.09864; YaRN arXiv:2309.00071, as transformers'
// _compute_yarn_parameters and DeepSeek-V3's inference/model.py apply it; Llama
// 3.1 as transformers' _compute_llama3_parameters does.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "model/model_config.h"

namespace cohort {

// Radians per position of each pair: [dim / 2].
std::vector<double> RopeFrequencies(const RopeConfig& config, int64_t dim);

// Cosines and sines times the amplitude, of positions from 0: each
// [positions, dim / 2] float32. Angles are rounded to float32 as the published
// models' own code rounds them.
struct RopeTables {
  at::Tensor cos;
  at::Tensor sin;
};
RopeTables MakeRopeTables(const RopeConfig& config, int64_t dim,
                          int64_t positions, at::Device device);

// Rotates x [N, H, P] by row n's angle; a pair stays in its places. `cos`,
// `sin`: [N, P / 2]. Differentiable in x.
at::Tensor Rotate(const at::Tensor& x, const at::Tensor& cos,
                  const at::Tensor& sin, bool interleave);

}  // namespace cohort
