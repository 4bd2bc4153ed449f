// DeepSeek-V3.2's lightning indexer: which earlier tokens a token attends to.
//
//   q    = W_q r, per head; r is the normalised low-rank query that also feeds
//          q_b_proj
//   k    = LayerNorm(W_k x), one key for all heads
//   both rotated in their first P columns, halves (i, i + P / 2)
//   gate = W_g x / sqrt(I W)
//   score(t, s) = sum over heads of gate[t, h] * max(q[t, h] . k[s], 0)
// A token attends to the index_topk best of itself and the earlier ones.
//
// As transformers 5 and the last published inference code compute it in exact
// arithmetic. Left out, as in transformers: the Hadamard turn of q and k, which
// changes no product, and their rounding to FP8. DeepSeek-V3.2-Exp's code of
// October 2025 rotates pairs (2i, 2i + 1) here; the published weights want
// halves.
//
// Shapes: N rows, I index heads, W their width. Nothing here is differentiable.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "model/attention.h"
#include "model/model_config.h"
#include "model/weights.h"

namespace cohort {

// Of the norm of its keys, whatever rms_norm_eps says.
inline constexpr double kIndexerEps = 1e-6;

// 1 / sqrt(I W), on the gates.
double IndexerScale(const ModelConfig& config);

struct IndexerRows {
  at::Tensor q;      // [N, I, W], rotated
  at::Tensor key;    // [N, W], rotated: what the cache stores
  at::Tensor gates;  // [N, I] float32
};

//   x: [N, D], normalised; low: [N, q_lora_rank], normalised
IndexerRows MakeIndexerRows(const ModelConfig& config, const IndexerWeights& w,
                            const at::Tensor& x, const at::Tensor& low,
                            const RowFacts& rows);

// Selections in the form that model/attention.h takes: int32, ascending, then
// -1. Ties go to the earlier token.

// Of packed sequences: [N, C], C at most index_topk.
at::Tensor SelectTokens(const ModelConfig& config, const IndexerRows& rows,
                        const std::vector<int64_t>& offsets);

// Of one new token per sequence, whose key is in the cache already: [B, C].
at::Tensor SelectCachedTokens(const ModelConfig& config,
                              const IndexerRows& rows,
                              const PagedContext& where);

}  // namespace cohort
