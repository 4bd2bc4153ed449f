#include <algorithm>

#include "model/kernels/heads.h"
#include "model/kernels/parallel.h"

namespace cohort {
namespace {

// Turns one row by the angles whose cosines and sines are given; y may be x.
struct Rotation {
  const float* cos;
  const float* sin;
  int64_t pairs;
  int64_t next;  // From the first of a pair to its second.
  int64_t step;  // From one pair to the next.

  void Turn(const float* x, float* y) const {
    for (int64_t i = 0; i < pairs; ++i) {
      const float a = x[i * step];
      const float b = x[i * step + next];
      y[i * step] = a * cos[i] - b * sin[i];
      y[i * step + next] = b * cos[i] + a * sin[i];
    }
  }

  void TurnBack(const float* x, float* y) const {
    for (int64_t i = 0; i < pairs; ++i) {
      const float a = x[i * step];
      const float b = x[i * step + next];
      y[i * step] = a * cos[i] + b * sin[i];
      y[i * step + next] = b * cos[i] - a * sin[i];
    }
  }
};

Rotation RotationOf(const HeadsParams& p, int64_t n) {
  const int64_t pairs = p.rope / 2;
  return {.cos = p.cos + n * pairs,
          .sin = p.sin + n * pairs,
          .pairs = pairs,
          .next = p.interleave ? 1 : pairs,
          .step = p.interleave ? 2 : 1};
}

void ForwardRow(const HeadsParams& p, int64_t n,
                const HeadsFlat<const float>& flat,
                const HeadsFull<float>& full) {
  const Rotation rotation = RotationOf(p, n);
  const int64_t width = p.nope + p.rope;
  const float* q = flat.q + n * flat.q_row;
  const float* kv = flat.kv + n * flat.kv_row;
  float* to_q = full.q + n * p.heads * width;
  float* to_k = full.k + n * p.heads * width;
  float* to_v = full.v + n * p.heads * p.value;
  float* const k_rope = to_k + p.nope;  // Turned once, copied to other heads.
  rotation.Turn(flat.k_rope + n * flat.k_rope_row, k_rope);
  for (int64_t h = 0; h < p.heads; ++h) {
    std::copy_n(q, p.nope, to_q);
    rotation.Turn(q + p.nope, to_q + p.nope);
    std::copy_n(kv, p.nope, to_k);
    if (h > 0) std::copy_n(k_rope, p.rope, to_k + p.nope);
    std::copy_n(kv + p.nope, p.value, to_v);
    q += width;
    to_q += width;
    to_k += width;
    kv += p.nope + p.value;
    to_v += p.value;
  }
}

void BackwardRow(const HeadsParams& p, int64_t n,
                 const HeadsFull<const float>& full,
                 const HeadsFlat<float>& flat) {
  const Rotation rotation = RotationOf(p, n);
  const int64_t width = p.nope + p.rope;
  const float* q = full.q + n * p.heads * width;
  const float* k = full.k + n * p.heads * width;
  const float* v = full.v + n * p.heads * p.value;
  float* to_q = flat.q + n * flat.q_row;
  float* to_kv = flat.kv + n * flat.kv_row;
  float* const to_k_rope = flat.k_rope + n * flat.k_rope_row;
  std::fill_n(to_k_rope, p.rope, 0.0f);
  for (int64_t h = 0; h < p.heads; ++h) {
    std::copy_n(q, p.nope, to_q);
    rotation.TurnBack(q + p.nope, to_q + p.nope);
    std::copy_n(k, p.nope, to_kv);
    for (int64_t i = 0; i < p.rope; ++i) to_k_rope[i] += k[p.nope + i];
    std::copy_n(v, p.value, to_kv + p.nope);
    q += width;
    k += width;
    v += p.value;
    to_q += width;
    to_kv += p.nope + p.value;
  }
  rotation.TurnBack(to_k_rope, to_k_rope);
}

double RowCost(const HeadsParams& p) {
  return static_cast<double>(p.heads * (2 * p.nope + 2 * p.rope + p.value));
}

}  // namespace

void HeadsForward(const HeadsParams& params, const HeadsFlat<const float>& flat,
                  const HeadsFull<float>& full) {
  ForRanges(params.n, RowCost(params), params.threads,
            [&](int64_t begin, int64_t end) {
              for (int64_t n = begin; n < end; ++n) {
                ForwardRow(params, n, flat, full);
              }
            });
}

void HeadsBackward(const HeadsParams& params,
                   const HeadsFull<const float>& full,
                   const HeadsFlat<float>& flat) {
  ForRanges(params.n, RowCost(params), params.threads,
            [&](int64_t begin, int64_t end) {
              for (int64_t n = begin; n < end; ++n) {
                BackwardRow(params, n, full, flat);
              }
            });
}

}  // namespace cohort
