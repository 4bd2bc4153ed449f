#include "model/linear.h"

#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/types.h>

#include "model/kernels/gemm.h"
#include "model/kernels/linear_rows.h"
#include "model/kernels/parallel.h"
#include "model/ops.h"

namespace cohort {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

at::Tensor LinearCpu(const at::Tensor& x, const at::Tensor& weight) {
  at::Tensor y = at::empty({x.size(0), weight.size(0)}, x.options());
  LinearRows({.m = x.size(0),
              .k = x.size(1),
              .o = weight.size(0),
              .x = ConstData(x),
              .x_row = x.stride(0),
              .w = ConstData(weight),
              .y = Data(y),
              .y_row = weight.size(0),
              .threads = at::get_num_threads()});
  return y;
}

class LinearFunction : public torch::autograd::Function<LinearFunction> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x,
                            const at::Tensor& weight) {
    context->save_for_backward({x, weight});
    return LinearCpu(x, weight);
  }

  static variable_list backward(AutogradContext* context,
                                const variable_list& grads) {
    const auto saved = context->get_saved_variables();
    const at::Tensor grad = grads[0].contiguous();
    at::Tensor to_x;
    at::Tensor to_weight;
    if (context->needs_input_grad(0)) {
      to_x = at::empty(saved[0].sizes(), grad.options());
      MatMulInto(grad, saved[1], /*accumulate=*/false, to_x);
    }
    if (context->needs_input_grad(1)) {
      to_weight = at::empty(saved[1].sizes(), grad.options());
      MatMulInto(grad.t(), saved[0], /*accumulate=*/false, to_weight);
    }
    return {to_x, to_weight};
  }
};

}  // namespace

void CheckIndices(const at::Tensor& index, int64_t end, const char* what) {
  const int64_t* const data = index.const_data_ptr<int64_t>();
  for (int64_t i = 0; i < index.numel(); ++i) {
    TORCH_CHECK_INDEX(data[i] >= 0 && data[i] < end, what, ": ", data[i],
                      " is not below ", end);
  }
}

void MatMulInto(const at::Tensor& a, const at::Tensor& b, bool accumulate,
                const at::Tensor& c) {
  const double row_cost =
      static_cast<double>(a.size(1)) * static_cast<double>(b.size(1));
  float* const to = c.mutable_data_ptr<float>();
  ForRanges(a.size(0), row_cost, at::get_num_threads(),
            [&](int64_t begin, int64_t end) {
              Gemm({.m = end - begin,
                    .n = b.size(1),
                    .k = a.size(1),
                    .a = ConstData(a) + begin * a.stride(0),
                    .a_row = a.stride(0),
                    .a_col = a.stride(1),
                    .b = ConstData(b),
                    .b_row = b.stride(0),
                    .c = to + begin * c.stride(0),
                    .c_row = c.stride(0),
                    .accumulate = accumulate});
            });
}

at::Tensor Linear(const at::Tensor& x, const at::Tensor& weight) {
  TORCH_CHECK(x.dim() == 2 && weight.dim() == 2 && x.size(1) == weight.size(1),
              "Linear: x ", x.sizes(), ", weight ", weight.sizes());
  if (!RunsOnKernels(x)) return at::linear(x, weight);
  const at::Tensor rows = x.stride(1) == 1 ? x : x.contiguous();
  const at::Tensor dense = weight.contiguous();
  if (NeedsGraph(x, weight)) return LinearFunction::apply(rows, dense);
  return LinearCpu(rows, dense);
}

}  // namespace cohort
