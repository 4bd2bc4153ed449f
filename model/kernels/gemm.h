// Matrix products on the CPU, float32, one thread.
//
// One result for one row: every element of c is one chain of fused
// multiply-adds over k in ascending order, starting from zero (or from c), so
// its bits depend on row i of a and column j of b alone: not on m, n, the
// strides, the tiling, the vector width or how callers split m and n over
// threads.
#pragma once

#include <cstdint>

namespace cohort {

struct GemmParams {
  int64_t m;
  int64_t n;
  int64_t k;
  const float* a;  // Element (i, k) at a[i * a_row + k * a_col].
  int64_t a_row;
  int64_t a_col;
  const float* b;  // Element (k, j) at b[k * b_row + j].
  int64_t b_row;
  float* c;  // Element (i, j) at c[i * c_row + j].
  int64_t c_row;
  bool accumulate;  // c += a b instead of c = a b.
};

// c = a b, or c += a b.
void Gemm(const GemmParams& params);

// to[j * to_row + i] = from[i * from_row + j] for i < rows, j < columns.
void Transpose(const float* from, int64_t from_row, int64_t rows,
               int64_t columns, float* to, int64_t to_row);

// The same where row i is `from` + index[i] * from_row.
void GatherTranspose(const float* from, int64_t from_row, const int64_t* index,
                     int64_t rows, int64_t columns, float* to, int64_t to_row);

}  // namespace cohort
