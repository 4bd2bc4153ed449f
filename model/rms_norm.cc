#include "model/rms_norm.h"

#include <torch/types.h>

namespace cohort {
namespace {

at::Tensor RmsNormAten(const at::Tensor& x, const at::Tensor& weight,
                       double eps) {
  const at::ScalarType wide = at::promote_types(x.scalar_type(), at::kFloat);
  const at::Tensor wide_x = x.to(wide);
  const at::Tensor mean = wide_x.square().mean(-1, /*keepdim=*/true);  // [N, 1]
  return weight * (wide_x * (mean + eps).rsqrt()).to(x.scalar_type());
}

}  // namespace

at::Tensor RmsNorm(const at::Tensor& x, const at::Tensor& weight, double eps) {
  TORCH_CHECK(x.dim() == 2 && weight.dim() == 1 && x.size(1) == weight.size(0),
              "RmsNorm: x ", x.sizes(), ", weight ", weight.sizes());
  return RmsNormAten(x, weight, eps);
}

}  // namespace cohort
