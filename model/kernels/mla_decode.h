// One new token per sequence against its paged latent cache, on the CPU,
// float32. The latent is key and value at once (DeepSeek-V2, arXiv:2405.04434,
// section 2.1.2).
#pragma once

#include <cstdint>

namespace cohort {

struct MlaDecodeParams {
  int64_t batch;
  int64_t heads;
  int64_t rank;           // R
  int64_t rope;           // P
  const float* q_latent;  // [batch, heads, R], contiguous
  const float* q_rope;    // [batch, heads, P], contiguous
  const float* cache;     // [blocks, block_tokens, R + P], contiguous
  int64_t block_tokens;
  const int32_t* tables;  // [batch, table_row] block numbers
  int64_t table_row;
  const int32_t* context;  // [batch] tokens visible, >= 1
  float scale;             // > 0
  int threads;
};

// out: [batch, heads, R].
void MlaDecode(const MlaDecodeParams& params, float* out);

}  // namespace cohort
