#include "model/gqa.h"

#include <torch/types.h>

#include "model/heads.h"
#include "model/linear.h"
#include "model/rms_norm.h"
#include "model/rope.h"

namespace cohort {
namespace {

// x [N, heads, P], each head normalised where there is a weight.
at::Tensor NormHeads(const at::Tensor& x, const at::Tensor& weight,
                     double eps) {
  if (!weight.defined()) return x;
  return RmsNorm(x.reshape({-1, x.size(2)}), weight, eps).view(x.sizes());
}

Heads MakeGroupedHeads(const ModelConfig& c, const GroupedWeights& w,
                       const at::Tensor& x, const RowFacts& rows) {
  at::Tensor all = Linear(x, w.inputs);  // [N, (H + 2 G) P]
  if (w.inputs_bias.defined()) all = all + w.inputs_bias;
  const int64_t heads = c.num_attention_heads;
  const int64_t kv_heads = c.num_key_value_heads;
  const std::vector<at::Tensor> parts =
      all.view({-1, heads + 2 * kv_heads, c.head_dim})
          .split_with_sizes({heads, kv_heads, kv_heads}, 1);
  return {.q = Rotate(NormHeads(parts[0], w.q_norm, c.rms_norm_eps), rows.cos,
                      rows.sin, c.rope.interleave),
          .k = Rotate(NormHeads(parts[1], w.k_norm, c.rms_norm_eps), rows.cos,
                      rows.sin, c.rope.interleave),
          .v = parts[2]};
}

at::Tensor Output(const GroupedWeights& w, const at::Tensor& attended) {
  const at::Tensor out = Linear(attended.flatten(1), w.output);
  return w.output_bias.defined() ? out + w.output_bias : out;
}

at::Tensor CachedRows(const Heads& heads) {
  return at::cat({heads.k.flatten(1), heads.v.flatten(1)}, 1);
}

}  // namespace

PagedLayout GroupedLayout(const ModelConfig& config) {
  return {.kv_heads = config.num_key_value_heads,
          .key_width = config.head_dim,
          .value_at = config.num_key_value_heads * config.head_dim,
          .value_width = config.head_dim};
}

at::Tensor GroupedForward(const ModelConfig& config, const GroupedWeights& w,
                          const at::Tensor& x, const RowFacts& rows,
                          const std::vector<int64_t>& offsets,
                          AttentionExtras* extras) {
  const Heads heads = MakeGroupedHeads(config, w, x, rows);
  if (extras->want_cached) extras->cached = CachedRows(heads);
  return Output(w, PackedAttention(heads.q, heads.k, heads.v, offsets,
                                   config.SoftmaxScale()));
}

at::Tensor GroupedCachedRows(const ModelConfig& config, const GroupedWeights& w,
                             const at::Tensor& x, const RowFacts& rows) {
  return CachedRows(MakeGroupedHeads(config, w, x, rows));
}

at::Tensor GroupedDecode(const ModelConfig& config, const GroupedWeights& w,
                         const at::Tensor& x, const DecodePlaces& places,
                         const at::Tensor& cache) {
  const Heads heads = MakeGroupedHeads(config, w, x, places.rows);
  cache.view({-1, cache.size(2)})
      .index_copy_(0, places.slots, CachedRows(heads).to(cache.scalar_type()));
  return Output(w,
                PagedAttention(heads.q,
                               {.cache = cache,
                                .block_tables = places.block_tables,
                                .context = places.context,
                                .selected = {}},
                               GroupedLayout(config), config.SoftmaxScale()));
}

}  // namespace cohort
