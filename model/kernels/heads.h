// The heads of MLA on the CPU, float32: see model/heads.h.
#pragma once

#include <cstdint>

namespace cohort {

struct HeadsParams {
  int64_t n;
  int64_t heads;
  int64_t nope;
  int64_t rope;
  int64_t value;
  bool interleave;
  const float* cos;  // [n, rope / 2], contiguous
  const float* sin;
  int threads;
};

// Float is float or const float.
template <typename Float>
struct HeadsFlat {
  Float* q;  // [n, heads (nope + rope)], row i at q + i * q_row
  int64_t q_row;
  Float* k_rope;  // [n, rope]
  int64_t k_rope_row;
  Float* kv;  // [n, heads (nope + value)]
  int64_t kv_row;
};

// Contiguous.
template <typename Float>
struct HeadsFull {
  Float* q;  // [n, heads, nope + rope]
  Float* k;  // [n, heads, nope + rope]
  Float* v;  // [n, heads, value]
};

// Reads `flat`, writes `full`.
void HeadsForward(const HeadsParams& params, const HeadsFlat<const float>& flat,
                  const HeadsFull<float>& full);

// Reads the gradients of `full`, writes those of `flat`.
void HeadsBackward(const HeadsParams& params,
                   const HeadsFull<const float>& full,
                   const HeadsFlat<float>& flat);

}  // namespace cohort
