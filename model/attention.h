// The two attention cores under MLA: over packed sequences with full heads
// (training, prefill), and over the paged latent cache (decode).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace cohort {

// Causal attention inside each of the S sequences packed in N rows; sequence s
// is rows [offsets[s], offsets[s + 1]).
//   q, k: [N, H, dq]; v: [N, H, dv], contiguous
//   offsets: S + 1 ascending numbers from 0 to N
//   scale: factor on the scores before the softmax
// Returns [N, H, dv]. Differentiable in q, k and v. A row's result depends on
// its own sequence alone. Softmax in float32.
at::Tensor PackedAttention(const at::Tensor& q, const at::Tensor& k,
                           const at::Tensor& v,
                           const std::vector<int64_t>& offsets, double scale);

// Attention of one new token per sequence over its cached latents, absorbed
// form (DeepSeek-V2, arXiv:2405.04434, section 2.1.2): queries are already
// mapped into the latent space, and the latent is key and value at once.
//   q_latent: [B, H, R]; q_rope: [B, H, P]
//   cache: [blocks, block_tokens, R + P], one layer of the paged cache; a row
//   is
//     the normalised latent, then the rotated shared key
//   block_tables: [B, max_blocks] int32; entry j of row b holds tokens
//     [j * block_tokens, (j + 1) * block_tokens) of sequence b
//   context: [B] int32, tokens visible to the new one, itself included, >= 1
// Returns [B, H, R]. Not differentiable. A row's result depends on its own
// sequence alone, not on the blocks it lies in.
at::Tensor LatentAttention(const at::Tensor& q_latent, const at::Tensor& q_rope,
                           const at::Tensor& cache,
                           const at::Tensor& block_tables,
                           const at::Tensor& context, double scale);

}  // namespace cohort
