#include "model/attention.h"

#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/types.h>

#include <algorithm>
#include <limits>

#include "model/kernels/attention.h"
#include "model/kernels/mla_decode.h"
#include "model/ops.h"

namespace cohort {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

AttentionParams ParamsOf(const at::Tensor& q, const at::Tensor& k,
                         const at::Tensor& v,
                         const std::vector<int64_t>& offsets, double scale) {
  return {.sequences = static_cast<int64_t>(offsets.size()) - 1,
          .heads = q.size(1),
          .dq = q.size(2),
          .dv = v.size(2),
          .offsets = offsets.data(),
          .q = ConstData(q),
          .k = ConstData(k),
          .v = ConstData(v),
          .scale = static_cast<float>(scale),
          .threads = at::get_num_threads()};
}

class PackedAttentionFunction
    : public torch::autograd::Function<PackedAttentionFunction> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& q,
                            const at::Tensor& k, const at::Tensor& v,
                            const std::vector<int64_t>& offsets, double scale) {
    at::Tensor out = at::empty(v.sizes(), v.options());
    at::Tensor log_sum = at::empty({v.size(0), v.size(1)}, v.options());
    AttentionForward(ParamsOf(q, k, v, offsets, scale), Data(out),
                     Data(log_sum));
    context->save_for_backward({q, k, v, out, log_sum});
    context->saved_data["offsets"] = offsets;
    context->saved_data["scale"] = scale;
    return out;
  }

  static variable_list backward(AutogradContext* context,
                                const variable_list& grads) {
    const auto saved = context->get_saved_variables();
    const std::vector<int64_t> offsets =
        context->saved_data["offsets"].toIntVector();
    const double scale = context->saved_data["scale"].toDouble();
    const at::Tensor grad = grads[0].contiguous();
    at::Tensor to_q = at::empty_like(saved[0]);
    at::Tensor to_k = at::empty_like(saved[1]);
    at::Tensor to_v = at::empty_like(saved[2]);
    AttentionBackward(ParamsOf(saved[0], saved[1], saved[2], offsets, scale),
                      {.out = ConstData(saved[3]),
                       .log_sum = ConstData(saved[4]),
                       .grad = ConstData(grad),
                       .to_q = Data(to_q),
                       .to_k = Data(to_k),
                       .to_v = Data(to_v)});
    return {to_q, to_k, to_v, {}, {}};
  }
};

// The kernel reads memory by these numbers.
void CheckBlocks(const at::Tensor& cache, const at::Tensor& block_tables,
                 const at::Tensor& context) {
  const int64_t block_tokens = cache.size(1);
  for (int64_t b = 0; b < context.size(0); ++b) {
    const int64_t tokens = context.const_data_ptr<int32_t>()[b];
    TORCH_CHECK_INDEX(
        tokens >= 1 && tokens <= block_tables.size(1) * block_tokens,
        "LatentAttention: row ", b, " sees ", tokens, " tokens of ",
        block_tables.size(1) * block_tokens);
    const int32_t* const blocks =
        block_tables.const_data_ptr<int32_t>() + b * block_tables.stride(0);
    for (int64_t j = 0; j * block_tokens < tokens; ++j) {
      TORCH_CHECK_INDEX(blocks[j] >= 0 && blocks[j] < cache.size(0),
                        "LatentAttention: row ", b, " lies in block ",
                        blocks[j], " of ", cache.size(0));
    }
  }
}

at::Tensor LatentAttentionCpu(const at::Tensor& q_latent,
                              const at::Tensor& q_rope, const at::Tensor& cache,
                              const at::Tensor& block_tables,
                              const at::Tensor& context, double scale) {
  at::Tensor out = at::empty(q_latent.sizes(), q_latent.options());
  MlaDecode({.batch = q_latent.size(0),
             .heads = q_latent.size(1),
             .rank = q_latent.size(2),
             .rope = q_rope.size(2),
             .q_latent = ConstData(q_latent),
             .q_rope = ConstData(q_rope),
             .cache = ConstData(cache),
             .block_tokens = cache.size(1),
             .tables = block_tables.const_data_ptr<int32_t>(),
             .table_row = block_tables.stride(0),
             .context = context.const_data_ptr<int32_t>(),
             .scale = static_cast<float>(scale),
             .threads = at::get_num_threads()},
            Data(out));
  return out;
}

// Rows of packed sequences laid out as [S, longest]; places past a sequence's
// end repeat row 0. Causal masking keeps them out of every real row.
at::Tensor PaddedRows(const std::vector<int64_t>& offsets, at::Device device) {
  const int64_t count = static_cast<int64_t>(offsets.size()) - 1;
  int64_t longest = 0;
  for (int64_t s = 0; s < count; ++s) {
    longest = std::max(longest, offsets[s + 1] - offsets[s]);
  }
  const at::Tensor rows = at::zeros({count, longest}, at::kLong);
  auto at_row = rows.accessor<int64_t, 2>();
  for (int64_t s = 0; s < count; ++s) {
    for (int64_t t = 0; t < offsets[s + 1] - offsets[s]; ++t) {
      at_row[s][t] = offsets[s] + t;
    }
  }
  return rows.to(device);
}

// Where row n of the packed batch lies in the flattened [S, longest].
at::Tensor PlacesOfRows(const std::vector<int64_t>& offsets, int64_t longest,
                        at::Device device) {
  const at::Tensor places = at::empty({offsets.back()}, at::kLong);
  int64_t* const place = places.mutable_data_ptr<int64_t>();
  for (size_t s = 0; s + 1 < offsets.size(); ++s) {
    for (int64_t n = offsets[s]; n < offsets[s + 1]; ++n) {
      place[n] = static_cast<int64_t>(s) * longest + n - offsets[s];
    }
  }
  return places.to(device);
}

at::Tensor PackedAttentionAten(const at::Tensor& q, const at::Tensor& k,
                               const at::Tensor& v,
                               const std::vector<int64_t>& offsets,
                               double scale) {
  if (q.size(0) == 0) return at::zeros_like(v);
  const at::Tensor rows = PaddedRows(offsets, q.device());  // [S, T]
  const int64_t count = rows.size(0);
  const int64_t longest = rows.size(1);
  const auto pad = [&](const at::Tensor& packed) {  // -> [S, H, T, d]
    return packed.index_select(0, rows.view(-1))
        .view({count, longest, packed.size(1), packed.size(2)})
        .transpose(1, 2);
  };
  const at::Tensor padded = at::scaled_dot_product_attention(
      pad(q), pad(k), pad(v), /*attn_mask=*/{}, /*dropout_p=*/0.0,
      /*is_causal=*/true, scale);  // [S, H, T, dv]
  return padded.transpose(1, 2)
      .reshape({count * longest, v.size(1), v.size(2)})
      .index_select(0, PlacesOfRows(offsets, longest, q.device()));
}

at::Tensor LatentAttentionAten(const at::Tensor& q_latent,
                               const at::Tensor& q_rope,
                               const at::Tensor& cache,
                               const at::Tensor& block_tables,
                               const at::Tensor& context, double scale) {
  const int64_t batch = q_latent.size(0);
  const int64_t rank = q_latent.size(2);
  const at::ScalarType wide =
      at::promote_types(q_latent.scalar_type(), at::kFloat);
  const at::Tensor rows =
      cache.index_select(0, block_tables.reshape(-1).to(at::kLong))
          .reshape({batch, -1, cache.size(2)})
          .to(q_latent.scalar_type());                       // [B, T, R + P]
  const at::Tensor query = at::cat({q_latent, q_rope}, -1);  // [B, H, R + P]
  const at::Tensor hidden =
      at::arange(rows.size(1), context.options()).unsqueeze(0) >=
      context.unsqueeze(1);  // [B, T]
  const at::Tensor scores =
      query.matmul(rows.transpose(1, 2))
          .to(wide)
          .mul(scale)
          .masked_fill(hidden.unsqueeze(1),
                       -std::numeric_limits<double>::infinity());  // [B, H, T]
  // A block past the context may hold anything, NaN too: its weight is zero,
  // but zero times NaN is not.
  const at::Tensor latents =
      rows.narrow(2, 0, rank).masked_fill(hidden.unsqueeze(2), 0);
  return scores.softmax(-1).to(q_latent.scalar_type()).matmul(latents);
}

}  // namespace

at::Tensor PackedAttention(const at::Tensor& q, const at::Tensor& k,
                           const at::Tensor& v,
                           const std::vector<int64_t>& offsets, double scale) {
  TORCH_CHECK(q.dim() == 3 && q.sizes() == k.sizes() && v.dim() == 3 &&
                  v.size(0) == q.size(0) && v.size(1) == q.size(1),
              "PackedAttention: q ", q.sizes(), ", k ", k.sizes(), ", v ",
              v.sizes());
  TORCH_CHECK(!offsets.empty() && offsets.front() == 0 &&
                  offsets.back() == q.size(0) &&
                  std::is_sorted(offsets.begin(), offsets.end()),
              "PackedAttention: offsets must rise from 0 to ", q.size(0));
  TORCH_CHECK(scale > 0, "PackedAttention: scale ", scale);
  if (q.size(0) == 0 || !RunsOnKernels(q)) {
    return PackedAttentionAten(q, k, v, offsets, scale);
  }
  const at::Tensor dense_q = q.contiguous();
  const at::Tensor dense_k = k.contiguous();
  const at::Tensor dense_v = v.contiguous();
  if (NeedsGraph(q, k) || NeedsGraph(v, v)) {
    return PackedAttentionFunction::apply(dense_q, dense_k, dense_v, offsets,
                                          scale);
  }
  at::Tensor out = at::empty(v.sizes(), v.options());
  AttentionForward(ParamsOf(dense_q, dense_k, dense_v, offsets, scale),
                   Data(out), nullptr);
  return out;
}

at::Tensor LatentAttention(const at::Tensor& q_latent, const at::Tensor& q_rope,
                           const at::Tensor& cache,
                           const at::Tensor& block_tables,
                           const at::Tensor& context, double scale) {
  TORCH_CHECK(q_latent.dim() == 3 && q_rope.dim() == 3 && cache.dim() == 3 &&
                  cache.size(2) == q_latent.size(2) + q_rope.size(2),
              "LatentAttention: q_latent ", q_latent.sizes(), ", q_rope ",
              q_rope.sizes(), ", cache ", cache.sizes());
  TORCH_CHECK(block_tables.dim() == 2 && context.dim() == 1 &&
                  block_tables.size(0) == q_latent.size(0) &&
                  context.size(0) == q_latent.size(0),
              "LatentAttention: block_tables ", block_tables.sizes(),
              ", context ", context.sizes());
  TORCH_CHECK(scale > 0, "LatentAttention: scale ", scale);
  if (!RunsOnKernels(q_latent)) {
    return LatentAttentionAten(q_latent, q_rope, cache, block_tables, context,
                               scale);
  }
  TORCH_CHECK(cache.is_contiguous() && cache.scalar_type() == at::kFloat &&
                  block_tables.stride(1) == 1 &&
                  block_tables.scalar_type() == at::kInt &&
                  context.is_contiguous() && context.scalar_type() == at::kInt,
              "LatentAttention: float32 cache, int32 block_tables and context, "
              "contiguous");
  CheckBlocks(cache, block_tables, context);
  return LatentAttentionCpu(q_latent.contiguous(), q_rope.contiguous(), cache,
                            block_tables, context, scale);
}

}  // namespace cohort
