#include "model/mla.h"

#include <torch/types.h>

#include "model/attention.h"
#include "model/linear.h"
#include "model/rms_norm.h"
#include "model/rope.h"

namespace cohort {
namespace {

struct Projected {
  at::Tensor q_nope;  // [N, H, nope]
  at::Tensor q_rope;  // [N, H, P], rotated
  at::Tensor latent;  // [N, R], normalised
  at::Tensor k_rope;  // [N, 1, P], rotated
};

Projected Project(const ModelConfig& c, const AttentionWeights& w,
                  const at::Tensor& x, const RowFacts& rows) {
  const int64_t rank = c.kv_lora_rank;
  const int64_t rope = c.qk_rope_head_dim;
  const at::Tensor all = Linear(x, w.inputs);  // [N, Q + R + P]
  const int64_t queries = all.size(1) - rank - rope;
  at::Tensor q = all.narrow(1, 0, queries);
  if (w.q_b.defined()) q = Linear(RmsNorm(q, w.q_norm, kLatentEps), w.q_b);
  const at::Tensor heads = q.unflatten(
      1, {c.num_attention_heads, c.qk_nope_head_dim + rope});  // [N, H, ..]
  return {
      .q_nope = heads.narrow(2, 0, c.qk_nope_head_dim),
      .q_rope = Rotate(heads.narrow(2, c.qk_nope_head_dim, rope), rows.cos,
                       rows.sin, c.rope.interleave),
      .latent = RmsNorm(all.narrow(1, queries, rank), w.kv_norm, kLatentEps),
      .k_rope = Rotate(all.narrow(1, queries + rank, rope).unsqueeze(1),
                       rows.cos, rows.sin, c.rope.interleave)};
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

at::Tensor MlaForward(const ModelConfig& config, const AttentionWeights& w,
                      const at::Tensor& x, const RowFacts& rows,
                      const std::vector<int64_t>& offsets,
                      at::Tensor* latents) {
  const Projected p = Project(config, w, x, rows);
  if (latents != nullptr) {
    *latents = at::cat({p.latent, p.k_rope.squeeze(1)}, -1);
  }
  const at::Tensor kv =
      Linear(p.latent, w.kv_b)
          .unflatten(1, {config.num_attention_heads,
                         config.qk_nope_head_dim + config.v_head_dim});
  const at::Tensor q = at::cat({p.q_nope, p.q_rope}, -1);
  const at::Tensor k = at::cat(
      {kv.narrow(2, 0, config.qk_nope_head_dim), p.k_rope.expand_as(p.q_rope)},
      -1);
  const at::Tensor v =
      kv.narrow(2, config.qk_nope_head_dim, config.v_head_dim).contiguous();
  const at::Tensor attended =
      PackedAttention(q, k, v, offsets, config.SoftmaxScale());
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

at::Tensor MlaDecode(const ModelConfig& config, const AttentionWeights& w,
                     const AbsorbedWeights& absorbed, const at::Tensor& x,
                     const RowFacts& rows, const DecodePlaces& places,
                     const at::Tensor& cache) {
  const Projected p = Project(config, w, x, rows);
  cache.view({-1, cache.size(2)})
      .index_copy_(
          0, places.slots,
          at::cat({p.latent, p.k_rope.squeeze(1)}, -1).to(cache.scalar_type()));
  const at::Tensor attended = LatentAttention(
      LinearPerHead(p.q_nope, absorbed.to_latent), p.q_rope.contiguous(), cache,
      places.block_tables, places.context, config.SoftmaxScale());
  return Linear(LinearPerHead(attended, absorbed.from_latent).flatten(1),
                w.output);
}

}  // namespace cohort
