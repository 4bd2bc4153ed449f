// FP8 weights in blocks: every value is an E4M3 code times the scale of its
// block, stored beside them as <name>_scale_inv (a factor, despite the name).
//
// Source: DeepSeek-V3, README_WEIGHTS.md "FP8 Weight Documentation"; the codes
// are those of "FP8 formats for deep learning" (arXiv:2209.05433), table 1.
#pragma once

#include <bit>
#include <cstdint>

#include "model/safetensors.h"

namespace cohort {

// E4M3 has no infinity; 0x7F and 0xFF are NaN, 448 is the largest magnitude.
// Exact. Written without branches, so that loops over it become vector code.
inline float DecodeE4M3(uint8_t code) {
  const uint32_t magnitude = code & 0x7Fu;
  const float subnormal = static_cast<float>(magnitude) * 0x1p-9f;
  const uint32_t normal = (magnitude << 20) + (120u << 23);
  uint32_t bits = magnitude < 8 ? std::bit_cast<uint32_t>(subnormal) : normal;
  bits = magnitude == 0x7Fu ? 0x7FC00000u : bits;
  return std::bit_cast<float>(bits | (code & 0x80u) << 24);
}

// A power of two, 2^(code - 127); 0xFF is NaN. Exact: code 0 is a subnormal of
// float32.
inline float DecodeE8M0(uint8_t code) {
  uint32_t bits = static_cast<uint32_t>(code) << 23;
  bits = code == 0 ? 0x00400000u : bits;
  bits = code == 0xFFu ? 0x7FC00000u : bits;
  return std::bit_cast<float>(bits);
}

// A matrix in blocks of block_rows x block_columns; those at its right and
// lower edge may be partial.
struct Fp8Matrix {
  const uint8_t* codes;  // [rows, columns] E4M3
  const float* scales;   // [ceil(rows / block_rows),
                         //  ceil(columns / block_columns)]
  int64_t rows;
  int64_t columns;
  int64_t block_rows;
  int64_t block_columns;
};

// Writes rows [begin, end) to `target`, which is where row `begin` goes: each
// value is code * scale rounded to float32 and, where `to` is kBf16, from there
// to bfloat16. Returns how many of them are NaN or infinite.
int64_t DequantiseRows(const Fp8Matrix& matrix, int64_t begin, int64_t end,
                       Dtype to, void* target);

}  // namespace cohort
