// What the files of the CPU decoder share: the memory of a step, and small
// operations on rows.
#pragma once

#include <cstdint>
#include <vector>

#include "model/decode_cpu.h"
#include "model/kernels/gemm.h"
#include "model/kernels/rms_norm.h"

namespace cohort {

inline const float* Data(const at::Tensor& tensor) {
  return tensor.const_data_ptr<float>();
}

inline void Norm(int64_t rows, int64_t width, const float* x, int64_t x_row,
                 const at::Tensor& weight, double eps, float* y) {
  RmsNormForward({.n = rows,
                  .d = width,
                  .x = x,
                  .x_row = x_row,
                  .weight = Data(weight),
                  .eps = eps,
                  .threads = 1},
                 y);
}

// y += x.
inline void Add(const float* x, int64_t size, float* y) {
  for (int64_t i = 0; i < size; ++i) y[i] += x[i];
}

// c [m, n] = a [m, k] b [k, n], one head of rows that hold all heads.
inline void MultiplyHead(int64_t m, int64_t k, int64_t n, const float* a,
                         int64_t a_row, const float* b, float* c,
                         int64_t c_row) {
  Gemm({.m = m,
        .n = n,
        .k = k,
        .a = a,
        .a_row = a_row,
        .a_col = 1,
        .b = b,
        .b_row = n,
        .c = c,
        .c_row = c_row,
        .accumulate = false});
}

// Cosines and sines of one position, [pairs] each.
struct Angles {
  const float* cos;
  const float* sin;
  int64_t pairs;
  bool interleave;
};

// As Rotate in model/rope.h, for one head of one row; y may be x.
inline void RotateOne(const float* x, const Angles& angles, float* y) {
  const int64_t next = angles.interleave ? 1 : angles.pairs;
  const int64_t step = angles.interleave ? 2 : 1;
  for (int64_t i = 0; i < angles.pairs; ++i) {
    const float a = x[i * step];
    const float b = x[i * step + next];
    y[i * step] = a * angles.cos[i] - b * angles.sin[i];
    y[i * step + next] = b * angles.cos[i] + a * angles.sin[i];
  }
}

// Memory for a step of N rows.
struct CpuDecoder::Scratch {
  int64_t rows = 0;   // N
  int64_t width = 0;  // D
  Buffer memory;
  float* state = nullptr;         // [N, D], the residual stream
  float* x = nullptr;             // [N, D], normalised
  float* y = nullptr;             // [N, D], of a sublayer
  float* projected = nullptr;     // [N, outputs of Layer::inputs]
  float* q_low = nullptr;         // [N, q_lora_rank]
  float* q = nullptr;             // [N, H (nope + P)]
  float* query = nullptr;         // [N, H, width of a query against the cache]
  float* attended = nullptr;      // [N, H, width of a value in the cache]
  float* heads = nullptr;         // [N, H v]
  float* hidden = nullptr;        // [N K, 2 I] of the widest MLP
  float* gathered = nullptr;      // [N K, D]
  float* outputs = nullptr;       // [N K, D], one row per slot
  float* scores = nullptr;        // [N, E]
  float* weights = nullptr;       // [N, K]
  float* index_q = nullptr;       // [N, I, W] of the indexer
  float* index_key = nullptr;     // [N, W]
  float* index_gates = nullptr;   // [N, I]
  std::vector<int32_t> selected;  // [N, selected_row]; sparse attention
  int64_t selected_row = 0;
  std::vector<int64_t> chosen;   // [N, K]
  std::vector<int32_t> context;  // [N]

  Scratch(const ModelConfig& c, int64_t count);

  // Before the first layer: no sublayer's result yet, and what each row sees.
  void Begin(const int64_t* positions);
};

}  // namespace cohort
