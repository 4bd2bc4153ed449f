#include "model/heads.h"

#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/types.h>

#include "model/kernels/heads.h"
#include "model/ops.h"

namespace cohort {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

HeadsParams ParamsOf(const HeadSizes& sizes, const at::Tensor& cos,
                     const at::Tensor& sin) {
  return {.n = cos.size(0),
          .heads = sizes.heads,
          .nope = sizes.nope,
          .rope = sizes.rope,
          .value = sizes.value,
          .interleave = sizes.interleave,
          .cos = ConstData(cos),
          .sin = ConstData(sin),
          .threads = at::get_num_threads()};
}

Heads HeadsCpu(const HeadInputs& in, const HeadSizes& sizes) {
  const int64_t n = in.q.size(0);
  const int64_t width = sizes.nope + sizes.rope;
  const auto options = in.q.options();
  Heads full = {.q = at::empty({n, sizes.heads, width}, options),
                .k = at::empty({n, sizes.heads, width}, options),
                .v = at::empty({n, sizes.heads, sizes.value}, options)};
  HeadsForward(ParamsOf(sizes, in.cos, in.sin),
               {.q = ConstData(in.q),
                .q_row = in.q.stride(0),
                .k_rope = ConstData(in.k_rope),
                .k_rope_row = in.k_rope.stride(0),
                .kv = ConstData(in.kv),
                .kv_row = in.kv.stride(0)},
               {.q = Data(full.q), .k = Data(full.k), .v = Data(full.v)});
  return full;
}

class HeadsFunction : public torch::autograd::Function<HeadsFunction> {
 public:
  static variable_list forward(AutogradContext* context, const at::Tensor& q,
                               const at::Tensor& k_rope, const at::Tensor& kv,
                               const at::Tensor& cos, const at::Tensor& sin,
                               const HeadSizes& sizes) {
    context->save_for_backward({cos, sin});
    context->saved_data["sizes"] =
        std::vector<int64_t>{sizes.heads, sizes.nope, sizes.rope, sizes.value,
                             sizes.interleave ? 1 : 0};
    const Heads full = HeadsCpu(
        {.q = q, .k_rope = k_rope, .kv = kv, .cos = cos, .sin = sin}, sizes);
    return {full.q, full.k, full.v};
  }

  static variable_list backward(AutogradContext* context,
                                const variable_list& grads) {
    const auto saved = context->get_saved_variables();
    const std::vector<int64_t> kept =
        context->saved_data["sizes"].toIntVector();
    const HeadSizes sizes = {.heads = kept[0],
                             .nope = kept[1],
                             .rope = kept[2],
                             .value = kept[3],
                             .interleave = kept[4] != 0};
    const at::Tensor q = grads[0].contiguous();
    const at::Tensor k = grads[1].contiguous();
    const at::Tensor v = grads[2].contiguous();
    const int64_t n = q.size(0);
    const int64_t q_width = sizes.heads * (sizes.nope + sizes.rope);
    const int64_t kv_width = sizes.heads * (sizes.nope + sizes.value);
    at::Tensor to_q = at::empty({n, q_width}, q.options());
    at::Tensor to_k_rope = at::empty({n, sizes.rope}, q.options());
    at::Tensor to_kv = at::empty({n, kv_width}, q.options());
    HeadsBackward(ParamsOf(sizes, saved[0], saved[1]),
                  {.q = ConstData(q), .k = ConstData(k), .v = ConstData(v)},
                  {.q = Data(to_q),
                   .q_row = q_width,
                   .k_rope = Data(to_k_rope),
                   .k_rope_row = sizes.rope,
                   .kv = Data(to_kv),
                   .kv_row = kv_width});
    return {to_q, to_k_rope, to_kv, {}, {}, {}};
  }
};

at::Tensor DenseRows(const at::Tensor& x) {
  return x.stride(1) == 1 ? x : x.contiguous();
}

}  // namespace

Heads MakeHeads(const HeadInputs& in, const HeadSizes& sizes) {
  TORCH_CHECK(RunsOnKernels(in.q) && in.q.dim() == 2 &&
                  in.q.size(1) == sizes.heads * (sizes.nope + sizes.rope) &&
                  in.k_rope.dim() == 2 && in.k_rope.size(1) == sizes.rope &&
                  in.kv.dim() == 2 &&
                  in.kv.size(1) == sizes.heads * (sizes.nope + sizes.value) &&
                  in.cos.dim() == 2 && 2 * in.cos.size(1) == sizes.rope &&
                  in.sin.sizes() == in.cos.sizes(),
              "MakeHeads: q ", in.q.sizes(), ", k_rope ", in.k_rope.sizes(),
              ", kv ", in.kv.sizes(), ", cos ", in.cos.sizes());
  const HeadInputs dense = {.q = DenseRows(in.q),
                            .k_rope = DenseRows(in.k_rope),
                            .kv = DenseRows(in.kv),
                            .cos = in.cos.contiguous(),
                            .sin = in.sin.contiguous()};
  if (!NeedsGraph(in.q, in.kv)) return HeadsCpu(dense, sizes);
  const variable_list full = HeadsFunction::apply(
      dense.q, dense.k_rope, dense.kv, dense.cos, dense.sin, sizes);
  return {.q = full[0], .k = full[1], .v = full[2]};
}

}  // namespace cohort
