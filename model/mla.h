// Multi-head latent attention (DeepSeek-V2, arXiv:2405.04434, section 2.1) on
// packed rows: full heads for training and prefill, the absorbed form over the
// latent cache for decoding. The cache holds a row's rotated key with its pairs
// in the checkpoint's places.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "model/attention.h"
#include "model/model_config.h"
#include "model/weights.h"

namespace cohort {

// Of the norms inside MLA, whatever rms_norm_eps says: transformers' and
// DeepSeek's own code build them with the default.
inline constexpr double kLatentEps = 1e-6;

// How the cache's rows hold the one key that all heads share: the latent, which
// is the value too, then the rotated part.
PagedLayout LatentLayout(const ModelConfig& config);

// Full heads, causal inside each sequence, each token over those that the
// indexer selects where there is one; differentiable.
//   x: [N, D], normalised
// Returns [N, D].
at::Tensor MlaForward(const ModelConfig& config, const LayerWeights& layer,
                      const at::Tensor& x, const RowFacts& rows,
                      const std::vector<int64_t>& offsets,
                      AttentionExtras* extras);

// kv_b split by head, for the absorbed form.
struct AbsorbedWeights {
  at::Tensor to_latent;    // [H, R, nope]: queries into the latent space
  at::Tensor from_latent;  // [H, v, R]: attended latents to values
};
AbsorbedWeights Absorb(const ModelConfig& config, const at::Tensor& kv_b);

// What the cache stores of each row, [N, W]. x: [N, D], normalised.
at::Tensor MlaCachedRows(const ModelConfig& config, const LayerWeights& layer,
                         const at::Tensor& x, const RowFacts& rows);

// New tokens; writes their rows to `cache` first.
//   x: [B, D], normalised; cache: [blocks, block_tokens, W]
// Returns [B, D]. Not differentiable.
at::Tensor MlaDecode(const ModelConfig& config, const LayerWeights& layer,
                     const AbsorbedWeights& absorbed, const at::Tensor& x,
                     const DecodePlaces& places, const at::Tensor& cache);

}  // namespace cohort
