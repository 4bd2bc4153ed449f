// One new token per sequence against its paged cache, on the CPU, float32.
//
// Heads share keys and values in runs: grouped queries (arXiv:2305.13245), and
// MLA's absorbed form as the case of one run, whose latent is key and value at
// once (DeepSeek-V2, arXiv:2405.04434, section 2.1.2).
#pragma once

#include <cstdint>

namespace cohort {

struct PagedAttentionParams {
  int64_t batch;
  int64_t heads;        // H
  int64_t kv_heads;     // Of the cache; divides H.
  int64_t key_width;    // Of one head's query and key.
  int64_t value_width;  // Of one head's value.
  // Where in a token's row the values begin, one kv head after the other; the
  // keys begin at 0. They may overlap.
  int64_t value_at;
  const float* q;      // [batch, heads, key_width], contiguous
  const float* cache;  // [blocks, block_tokens, row], contiguous
  int64_t row;
  int64_t block_tokens;
  const int32_t* tables;  // [batch, table_row] block numbers
  int64_t table_row;
  const int32_t* context;  // [batch] tokens visible, >= 1
  // [batch, selected_row] the only tokens attended to, ascending, the first
  // negative number ends them; null: all that are visible.
  const int32_t* selected = nullptr;
  int64_t selected_row = 0;
  float scale;  // > 0
  int threads;
};

// out: [batch, heads, value_width].
void PagedAttention(const PagedAttentionParams& params, float* out);

}  // namespace cohort
