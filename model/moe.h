// DeepSeekMoE: the router and the routed experts.
//
// Sources. DeepSeek-V3 (arXiv:2412.19437) equations 12 to 16, and its
// inference/model.py: sigmoid scores, the correction bias for choosing only,
// groups scored by the sum of their two best biased scores, other groups never
// chosen from (earlier versions of transformers mask them with 0, which differs
// as soon as a biased score is negative), weights from the plain scores.
// DeepSeek-V2 (arXiv:2405.04434) section 2.2: softmax scores, no bias, groups
// scored by their best expert. transformers masks the other groups with 0,
// which can be chosen where scores of the kept ones underflow to 0 too; here
// they never are.
#pragma once

#include <ATen/core/Tensor.h>

#include "model/router_settings.h"

namespace cohort {

struct Routes {
  at::Tensor experts;  // [N, K] int64, ascending in each row.
  at::Tensor weights;  // [N, K] float32, in the order of `experts`.
};

// Chooses K experts per token. Ties go to the lower index.
//   x: [N, D] any float dtype, widened to float32 first
//   gate: [E, D]; bias: [E] float32, the correction bias; may be undefined
// `weights` is differentiable in x and gate; the choice is not. A row's result
// depends on that row alone. With `forced` ([N, K] int64) those experts are
// taken instead of chosen.
Routes RouteTokens(const at::Tensor& x, const at::Tensor& gate,
                   const at::Tensor& bias, const RouterSettings& settings,
                   const at::Tensor* forced = nullptr);

// SwiGLU experts: sum over K of weight * down_e(silu(gate_e x) * up_e x), added
// in ascending order of the experts.
//   x: [N, D]; experts: [N, K] int64; weights: [N, K] float32
//   gate_up: [E, 2 I, D], each expert's gate rows first; down: [E, D, I]
// Returns [N, D]. Differentiable in x, weights, gate_up and down.
at::Tensor RunExperts(const at::Tensor& x, const at::Tensor& experts,
                      const at::Tensor& weights, const at::Tensor& gate_up,
                      const at::Tensor& down);

// The same for the one dense or shared MLP: gate_up [2 I, D], down [D, I].
at::Tensor RunMlp(const at::Tensor& x, const at::Tensor& gate_up,
                  const at::Tensor& down);

}  // namespace cohort
