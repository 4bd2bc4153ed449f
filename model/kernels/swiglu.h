// out = silu(gate) * up, elementwise on the CPU, float32, one thread.
#pragma once

#include <cstdint>

namespace cohort {

// Arrays of `size` floats; out may be gate or up.
void SwiGlu(const float* gate, const float* up, int64_t size, float* out);

struct SwiGluGrads {
  const float* gate;
  const float* up;
  const float* grad;  // Of factor * out, but for the factor.
  float factor;
  int64_t size;
  float* to_gate;  // factor * grad * d out / d gate
  float* to_up;    // factor * grad * d out / d up
  float* out;      // factor * out
};

// Returns grad . out, the gradient of the factor.
float SwiGluBackward(const SwiGluGrads& grads);

}  // namespace cohort
