// Single values of the floating-point formats that weights are stored and
// computed in. Without branches, so that loops over them become vector code.
#pragma once

#include <bit>
#include <cstdint>

namespace cohort {

// IEEE 754 binary16, exactly.
inline float DecodeHalf(uint16_t half) {
  const uint32_t exponent = (half >> 10) & 0x1Fu;
  const uint32_t fraction = half & 0x3FFu;
  const float subnormal = static_cast<float>(fraction) * 0x1p-24f;
  const uint32_t wide = exponent == 31 ? 255 : exponent + 112;
  const uint32_t bits = exponent == 0 ? std::bit_cast<uint32_t>(subnormal)
                                      : wide << 23 | fraction << 13;
  return std::bit_cast<float>(bits | (half & 0x8000u) << 16);
}

inline float DecodeBf16(uint16_t brain) {
  return std::bit_cast<float>(static_cast<uint32_t>(brain) << 16);
}

// What weights are written as: the type in memory, the rounding from float32
// and what is neither NaN nor infinite.
struct AsFloat {
  using Type = float;
  static float Round(float value) { return value; }
  static bool IsFinite(float value) {
    return (std::bit_cast<uint32_t>(value) & 0x7F800000u) != 0x7F800000u;
  }
};

struct AsBf16 {
  using Type = uint16_t;
  // To nearest, ties to even; NaN stays NaN.
  static uint16_t Round(float value) {
    const uint32_t bits = std::bit_cast<uint32_t>(value);
    const uint32_t rounded = bits + 0x7FFFu + ((bits >> 16) & 1u);
    const bool nan = (bits & 0x7FFFFFFFu) > 0x7F800000u;
    return static_cast<uint16_t>((nan ? bits | 0x00400000u : rounded) >> 16);
  }
  static bool IsFinite(uint16_t bits) { return (bits & 0x7F80u) != 0x7F80u; }
};

}  // namespace cohort
