#include "model/mla.h"

#include <torch/types.h>

#include <utility>
#include <vector>

#include "model/attention.h"
#include "model/heads.h"
#include "model/indexer.h"
#include "model/linear.h"
#include "model/ops.h"
#include "model/rms_norm.h"
#include "model/rope.h"

namespace cohort {
namespace {

struct Projected {
  at::Tensor low;     // [N, q_lora_rank], normalised; undefined without one
  at::Tensor q;       // [N, H (nope + P)], not rotated yet
  at::Tensor latent;  // [N, R], normalised
  at::Tensor k_rope;  // [N, P], not rotated yet
};

Projected Project(const ModelConfig& c, const AttentionWeights& w,
                  const at::Tensor& x) {
  const at::Tensor all = Linear(x, w.inputs);  // [N, Q + R + P]
  const int64_t queries = all.size(1) - c.kv_lora_rank - c.qk_rope_head_dim;
  const std::vector<at::Tensor> parts =
      all.split_with_sizes({queries, c.kv_lora_rank, c.qk_rope_head_dim}, 1);
  at::Tensor low;
  at::Tensor q = parts[0];
  if (w.q_b.defined()) {
    low = RmsNorm(q, w.q_norm, kLatentEps);
    q = Linear(low, w.q_b);
  }
  return {.low = low,
          .q = q,
          .latent = RmsNorm(parts[1], w.kv_norm, kLatentEps),
          .k_rope = parts[2]};
}

// q [N, H (nope + P)] by head, [N, H, nope] and, rotated, [N, H, P].
std::pair<at::Tensor, at::Tensor> SplitQueries(const ModelConfig& c,
                                               const at::Tensor& q,
                                               const RowFacts& rows) {
  const int64_t nope = c.qk_nope_head_dim;
  const at::Tensor heads =
      q.unflatten(1, {c.num_attention_heads, nope + c.qk_rope_head_dim});
  return {heads.narrow(2, 0, nope),
          Rotate(heads.narrow(2, nope, c.qk_rope_head_dim), rows.cos, rows.sin,
                 c.rope.interleave)};
}

// kv: [N, H (nope + v)].
Heads FullHeads(const ModelConfig& c, const Projected& p, const at::Tensor& kv,
                const RowFacts& rows) {
  const int64_t nope = c.qk_nope_head_dim;
  if (RunsOnKernels(p.q)) {
    return MakeHeads({.q = p.q,
                      .k_rope = p.k_rope,
                      .kv = kv,
                      .cos = rows.cos,
                      .sin = rows.sin},
                     {.heads = c.num_attention_heads,
                      .nope = nope,
                      .rope = c.qk_rope_head_dim,
                      .value = c.v_head_dim,
                      .interleave = c.rope.interleave});
  }
  const auto [q_nope, q_rope] = SplitQueries(c, p.q, rows);
  const at::Tensor k_rope = Rotate(p.k_rope.unsqueeze(1), rows.cos, rows.sin,
                                   c.rope.interleave);  // [N, 1, P]
  const at::Tensor by_head =
      kv.unflatten(1, {c.num_attention_heads, nope + c.v_head_dim});
  return {
      .q = at::cat({q_nope, q_rope}, -1),
      .k = at::cat({by_head.narrow(2, 0, nope), k_rope.expand_as(q_rope)}, -1),
      .v = by_head.narrow(2, nope, c.v_head_dim).contiguous()};
}

// index: not looked at without sparse attention.
at::Tensor CachedRows(const ModelConfig& c, const Projected& p,
                      const IndexerRows& index, const RowFacts& rows) {
  const at::Tensor k_rope =
      Rotate(p.k_rope.unsqueeze(1), rows.cos, rows.sin, c.rope.interleave);
  std::vector<at::Tensor> cached = {p.latent, k_rope.squeeze(1)};
  if (c.IsSparse()) cached.push_back(index.key);
  return at::cat(cached, -1);
}

// x [N, H, a] times weight [H, b, a], head by head. Returns [N, H, b].
at::Tensor LinearPerHead(const at::Tensor& x, const at::Tensor& weight) {
  std::vector<at::Tensor> heads;
  for (int64_t h = 0; h < weight.size(0); ++h) {
    heads.push_back(Linear(x.select(1, h), weight.select(0, h)));
  }
  return at::stack(heads, 1);
}

}  // namespace

PagedLayout LatentLayout(const ModelConfig& config) {
  return {.kv_heads = 1,
          .key_width = config.kv_lora_rank + config.qk_rope_head_dim,
          .value_at = 0,
          .value_width = config.kv_lora_rank};
}

at::Tensor MlaForward(const ModelConfig& config, const LayerWeights& layer,
                      const at::Tensor& x, const RowFacts& rows,
                      const std::vector<int64_t>& offsets,
                      AttentionExtras* extras) {
  const AttentionWeights& w = layer.attention;
  const Projected p = Project(config, w, x);
  const Heads heads = FullHeads(config, p, Linear(p.latent, w.kv_b), rows);
  std::vector<at::Tensor> cached;
  if (extras->want_cached) {
    cached = {p.latent, heads.k.select(1, 0).narrow(1, config.qk_nope_head_dim,
                                                    config.qk_rope_head_dim)};
  }
  if (config.IsSparse()) {
    const IndexerRows index =
        MakeIndexerRows(config, layer.indexer, x, p.low, rows);
    extras->selected = SelectTokens(config, index, offsets);
    cached.push_back(index.key);
  }
  if (extras->want_cached) extras->cached = at::cat(cached, -1);
  const at::Tensor attended =
      PackedAttention(heads.q, heads.k, heads.v, offsets, config.SoftmaxScale(),
                      extras->selected);
  return Linear(attended.flatten(1), w.output);
}

AbsorbedWeights Absorb(const ModelConfig& config, const at::Tensor& kv_b) {
  const at::Tensor heads = kv_b.detach().unflatten(
      0, {config.num_attention_heads,
          config.qk_nope_head_dim + config.v_head_dim});  // [H, nope + v, R]
  return {
      .to_latent = heads.narrow(1, 0, config.qk_nope_head_dim)
                       .transpose(1, 2)
                       .contiguous(),
      .from_latent = heads.narrow(1, config.qk_nope_head_dim, config.v_head_dim)
                         .contiguous()};
}

at::Tensor MlaCachedRows(const ModelConfig& config, const LayerWeights& layer,
                         const at::Tensor& x, const RowFacts& rows) {
  const Projected p = Project(config, layer.attention, x);
  IndexerRows index;
  if (config.IsSparse()) {
    index = MakeIndexerRows(config, layer.indexer, x, p.low, rows);
  }
  return CachedRows(config, p, index, rows);
}

at::Tensor MlaDecode(const ModelConfig& config, const LayerWeights& layer,
                     const AbsorbedWeights& absorbed, const at::Tensor& x,
                     const DecodePlaces& places, const at::Tensor& cache) {
  const Projected p = Project(config, layer.attention, x);
  const RowFacts& rows = places.rows;
  const auto [q_nope, q_rope] = SplitQueries(config, p.q, rows);
  IndexerRows index;
  if (config.IsSparse()) {
    index = MakeIndexerRows(config, layer.indexer, x, p.low, rows);
  }
  cache.view({-1, cache.size(2)})
      .index_copy_(0, places.slots,
                   CachedRows(config, p, index, rows).to(cache.scalar_type()));
  PagedContext where = {.cache = cache,
                        .block_tables = places.block_tables,
                        .context = places.context,
                        .selected = {}};
  if (config.IsSparse()) {
    where.selected = SelectCachedTokens(config, index, where);
  }
  const at::Tensor query =
      at::cat({LinearPerHead(q_nope, absorbed.to_latent), q_rope}, -1);
  const at::Tensor attended =
      PagedAttention(query, where, LatentLayout(config), config.SoftmaxScale());
  return Linear(LinearPerHead(attended, absorbed.from_latent).flatten(1),
                layer.attention.output);
}

}  // namespace cohort
