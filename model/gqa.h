// Grouped-query attention (arXiv:2305.13245) on packed rows, and on the paged
// cache, with what Qwen and Llama put around it: biases, and norms of each
// head's queries and keys before they are rotated.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "model/attention.h"
#include "model/model_config.h"
#include "model/weights.h"

namespace cohort {

// How the cache's rows hold keys and values: G keys, then G values.
PagedLayout GroupedLayout(const ModelConfig& config);

// All tokens at once, causal inside each sequence; differentiable.
//   x: [N, D], normalised
// Returns [N, D].
at::Tensor GroupedForward(const ModelConfig& config, const GroupedWeights& w,
                          const at::Tensor& x, const RowFacts& rows,
                          const std::vector<int64_t>& offsets,
                          AttentionExtras* extras);

// What the cache stores of each row, [N, 2 G P]. x: [N, D], normalised.
at::Tensor GroupedCachedRows(const ModelConfig& config, const GroupedWeights& w,
                             const at::Tensor& x, const RowFacts& rows);

// New tokens; writes their rows to `cache` first.
//   x: [B, D], normalised; cache: [blocks, block_tokens, 2 G P]
// Returns [B, D]. Not differentiable.
at::Tensor GroupedDecode(const ModelConfig& config, const GroupedWeights& w,
                         const at::Tensor& x, const DecodePlaces& places,
                         const at::Tensor& cache);

}  // namespace cohort
