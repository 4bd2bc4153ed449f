// Which earlier tokens a token attends to (DeepSeek-V3.2's lightning indexer)
// on the CPU, float32:
//
//   score(t, s) = sum over heads of gate[t, h] * max(q[t, h] . key[s], 0)
//
// One chain of sums for packed rows and for the paged cache, so that both
// choose the same from the same numbers.
#pragma once

#include <cstdint>

namespace cohort {

struct IndexerSizes {
  int64_t heads;
  int64_t width;  // Of a query and a key.
  int64_t topk;   // Tokens to select.
};

// Rows are tokens of sequences laid end to end; a row sees its own and the
// earlier ones of its sequence.
struct PackedIndexerParams {
  IndexerSizes sizes;
  int64_t sequences;
  const int64_t* offsets;  // [sequences + 1]
  const float* q;          // [N, heads, width], contiguous, as are the others
  const float* gates;      // [N, heads]
  const float* keys;       // [N, width]
  int threads;
};

// selected: [N, selected_row] places in the row's sequence of the topk best,
// all where there are no more, ascending, then -1. Ties go to the earlier
// token. Requires selected_row >= min(topk, tokens of the longest sequence).
void SelectPacked(const PackedIndexerParams& params, int32_t* selected,
                  int64_t selected_row);

// One row per sequence, whose keys lie in a paged cache.
struct PagedIndexerParams {
  IndexerSizes sizes;
  int64_t batch;
  const float* q;      // [batch, heads, width]
  const float* gates;  // [batch, heads]
  const float* cache;  // [blocks, block_tokens, row]
  int64_t row;
  int64_t key_at;  // Column of a token's row where its key begins.
  int64_t block_tokens;
  const int32_t* tables;  // [batch, table_row] block numbers
  int64_t table_row;
  const int32_t* context;  // [batch] tokens visible, >= 1
  int threads;
};

// selected: [batch, selected_row], as above.
void SelectPaged(const PagedIndexerParams& params, int32_t* selected,
                 int64_t selected_row);

// y = weight (x - mean) / sqrt(variance + eps) + bias, row by row: the
// indexer's norm of its keys. x: [n, d], row i at x + i * x_row; y: [n, d], row
// i at y + i * y_row.
struct LayerNormParams {
  int64_t n;
  int64_t d;
  const float* x;
  int64_t x_row;
  const float* weight;
  const float* bias;
  double eps;
};
void LayerNorm(const LayerNormParams& params, float* y, int64_t y_row);

}  // namespace cohort
