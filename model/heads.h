// The heads of MLA for full attention, made in one pass over memory instead of
// a chain of slices, rotations and concatenations (model/mla.cc has that chain,
// for CUDA and float64).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace cohort {

struct HeadSizes {
  int64_t heads;    // H
  int64_t nope;     // Width of the part without position.
  int64_t rope;     // P
  int64_t value;    // v
  bool interleave;  // Pairs (2i, 2i + 1); false: halves (i, i + P / 2).
};

struct HeadInputs {
  at::Tensor q;       // [N, H (nope + P)], rows may be strided
  at::Tensor k_rope;  // [N, P], shared by all heads, rows may be strided
  at::Tensor kv;      // [N, H (nope + v)], rows may be strided
  at::Tensor cos;     // [N, P / 2]; takes no gradient
  at::Tensor sin;     // [N, P / 2]
};

struct Heads {
  at::Tensor q;  // [N, H, nope + P], the last P rotated
  at::Tensor k;  // [N, H, nope + P], likewise; contiguous, as are the others
  at::Tensor v;  // [N, H, v]
};

// float32 on the CPU. Differentiable in q, k_rope and kv.
Heads MakeHeads(const HeadInputs& inputs, const HeadSizes& sizes);

}  // namespace cohort
