#include "model/rms_norm.h"

#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/types.h>

#include "model/kernels/rms_norm.h"
#include "model/ops.h"

namespace cohort {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

RmsNormParams ParamsOf(const at::Tensor& x, const at::Tensor& weight,
                       double eps) {
  return {.n = x.size(0),
          .d = x.size(1),
          .x = ConstData(x),
          .x_row = x.stride(0),
          .weight = ConstData(weight),
          .eps = eps,
          .threads = at::get_num_threads()};
}

at::Tensor RmsNormCpu(const at::Tensor& x, const at::Tensor& weight,
                      double eps) {
  at::Tensor y = at::empty(x.sizes(), x.options());
  RmsNormForward(ParamsOf(x, weight, eps), Data(y));
  return y;
}

class RmsNormFunction : public torch::autograd::Function<RmsNormFunction> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x,
                            const at::Tensor& weight, double eps) {
    context->save_for_backward({x, weight});
    context->saved_data["eps"] = eps;
    return RmsNormCpu(x, weight, eps);
  }

  static variable_list backward(AutogradContext* context,
                                const variable_list& grads) {
    const auto saved = context->get_saved_variables();
    const double eps = context->saved_data["eps"].toDouble();
    const at::Tensor grad = grads[0].contiguous();
    at::Tensor to_x;
    at::Tensor to_weight;
    if (context->needs_input_grad(0)) to_x = at::empty_like(grad);
    if (context->needs_input_grad(1)) to_weight = at::empty_like(saved[1]);
    RmsNormBackward(ParamsOf(saved[0], saved[1], eps), ConstData(grad),
                    to_x.defined() ? Data(to_x) : nullptr,
                    to_weight.defined() ? Data(to_weight) : nullptr);
    return {to_x, to_weight, {}};
  }
};

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
  if (!RunsOnKernels(x)) return RmsNormAten(x, weight, eps);
  const at::Tensor rows = x.stride(1) == 1 ? x : x.contiguous();
  if (NeedsGraph(x, weight)) return RmsNormFunction::apply(rows, weight, eps);
  return RmsNormCpu(rows, weight, eps);
}

}  // namespace cohort
