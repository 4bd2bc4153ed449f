// The two attention cores: over packed sequences (training, prefill) and over
// the paged cache (decode). Query heads share the keys and values of one kv
// head in runs of H / G (grouped queries, arXiv:2305.13245).
//
// Shapes: N packed rows, B sequences decoding, H heads, G kv heads.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace cohort {

// Facts about the N rows that all layers share.
struct RowFacts {
  at::Tensor cos;  // [N, P / 2], of each row's position
  at::Tensor sin;
};

// What attention over packed rows gives beside its output.
struct AttentionExtras {
  bool want_cached = false;
  at::Tensor cached;    // [N, W], what the cache stores, if wanted
  at::Tensor selected;  // [N, C] int32 as below, where attention is sparse
};

// Where each of B new tokens goes and what it sees.
struct DecodePlaces {
  RowFacts rows;
  at::Tensor slots;         // [B] int64, block * block_tokens + place
  at::Tensor block_tables;  // [B, max_blocks] int32
  at::Tensor context;       // [B] int32, the new token included
};

// Causal attention inside each of the S sequences packed in N rows; sequence s
// is rows [offsets[s], offsets[s + 1]).
//   q: [N, H, dq]; k: [N, G, dq]; v: [N, G, dv]
//   offsets: S + 1 ascending numbers from 0 to N
//   scale: factor on the scores before the softmax
//   selected: [N, C] int32, the places in its sequence of the only tokens that
//   a
//     row attends to, itself or earlier, ascending, then -1 to the end, at
//     least one; undefined: all up to itself. Takes no gradient.
// Returns [N, H, dv]. Differentiable in q, k and v. A row's result depends on
// its own sequence alone. Softmax in float32.
at::Tensor PackedAttention(const at::Tensor& q, const at::Tensor& k,
                           const at::Tensor& v,
                           const std::vector<int64_t>& offsets, double scale,
                           const at::Tensor& selected = {});

// How a token's row of W numbers holds the keys and values of G kv heads: keys
// one after the other from 0, values likewise from `value_at`. They may
// overlap: MLA's absorbed form (DeepSeek-V2, arXiv:2405.04434, section 2.1.2)
// has one kv head, whose latent is key and value at once.
struct PagedLayout {
  int64_t kv_heads;     // G
  int64_t key_width;    // dq
  int64_t value_at;     // Column.
  int64_t value_width;  // dv
};

// What B sequences see of one layer of the paged cache.
struct PagedContext {
  at::Tensor cache;  // [blocks, block_tokens, W]
  // [B, max_blocks] int32; entry j of row b holds tokens [j * block_tokens,
  // (j + 1) * block_tokens) of sequence b
  at::Tensor block_tables;
  // [B] int32, tokens visible to the new one, itself included, >= 1
  at::Tensor context;
  // [B, C] int32 as in PackedAttention; undefined: all that are visible
  at::Tensor selected;
};

// Attention of one new token per sequence over its cached tokens.
//   q: [B, H, dq]
// Returns [B, H, dv]. Not differentiable. A row's result depends on its own
// sequence alone, not on the blocks it lies in.
at::Tensor PagedAttention(const at::Tensor& q, const PagedContext& where,
                          const PagedLayout& layout, double scale);

}  // namespace cohort
