#include "model/linear.h"

#include <torch/csrc/autograd/custom_function.h>
#include <torch/types.h>

#include "model/kernels/gemm.h"

namespace cohort {
namespace {

at::Tensor LinearCpu(const at::Tensor& x, const at::Tensor& weight) {
  const int64_t n = x.size(0);
  const int64_t k = x.size(1);
  const int64_t o = weight.size(0);
  at::Tensor y = at::empty({n, o}, x.options());
  at::Tensor turned = at::empty({k, o}, x.options());
  Transpose(weight.const_data_ptr<float>(), k, o, k,
            turned.mutable_data_ptr<float>(), o);
  Gemm({.m = n,
        .n = o,
        .k = k,
        .a = x.const_data_ptr<float>(),
        .a_row = x.stride(0),
        .a_col = 1,
        .b = turned.const_data_ptr<float>(),
        .b_row = o,
        .c = y.mutable_data_ptr<float>(),
        .c_row = o,
        .accumulate = false});
  return y;
}

class LinearFunction : public torch::autograd::Function<LinearFunction> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* context,
                            const at::Tensor& x, const at::Tensor& weight) {
    context->save_for_backward({x, weight});
    return LinearCpu(x, weight);
  }

  static torch::autograd::variable_list backward(
      torch::autograd::AutogradContext* context,
      const torch::autograd::variable_list& grads) {
    const auto saved = context->get_saved_variables();
    at::Tensor to_x;
    at::Tensor to_weight;
    if (context->needs_input_grad(0)) to_x = grads[0].mm(saved[1]);
    if (context->needs_input_grad(1)) to_weight = grads[0].t().mm(saved[0]);
    return {to_x, to_weight};
  }
};

}  // namespace

at::Tensor Linear(const at::Tensor& x, const at::Tensor& weight) {
  TORCH_CHECK(x.dim() == 2 && weight.dim() == 2 && x.size(1) == weight.size(1),
              "Linear: x ", x.sizes(), ", weight ", weight.sizes());
  if (!x.is_cpu() || x.scalar_type() != at::kFloat) {
    return at::linear(x, weight);
  }
  const at::Tensor rows = x.stride(1) == 1 ? x : x.contiguous();
  const at::Tensor dense = weight.contiguous();
  if (at::GradMode::is_enabled() &&
      (x.requires_grad() || weight.requires_grad())) {
    return LinearFunction::apply(rows, dense);
  }
  return LinearCpu(rows, dense);
}

}  // namespace cohort
