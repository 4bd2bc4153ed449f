#include "model/rope.h"

#include <torch/types.h>

#include <algorithm>
#include <cmath>
#include <numbers>

namespace cohort {
namespace {

// The pair that turns `rotations` times over the original context.
double PairOfRotations(const RopeConfig& config, double dim, double rotations) {
  const double context =
      static_cast<double>(config.original_max_position_embeddings);
  return dim * std::log(context / (rotations * 2 * std::numbers::pi)) /
         (2 * std::log(config.theta));
}

}  // namespace

std::vector<double> RopeFrequencies(const RopeConfig& config, int64_t dim) {
  const double width = static_cast<double>(dim);
  double low = 0;
  double high = 0;
  if (config.factor > 1) {
    low = std::max(std::floor(PairOfRotations(config, width, config.beta_fast)),
                   0.0);
    high = std::min(std::ceil(PairOfRotations(config, width, config.beta_slow)),
                    width - 1);
    if (low == high) high += 0.001;
  }
  std::vector<double> frequencies;
  for (int64_t i = 0; i < dim / 2; ++i) {
    const double plain =
        std::pow(config.theta, -2 * static_cast<double>(i) / width);
    if (config.factor <= 1) {
      frequencies.push_back(plain);
      continue;
    }
    const double ramp =
        std::clamp((static_cast<double>(i) - low) / (high - low), 0.0, 1.0);
    frequencies.push_back(plain / config.factor * ramp + plain * (1 - ramp));
  }
  return frequencies;
}

RopeTables MakeRopeTables(const RopeConfig& config, int64_t dim,
                          int64_t positions, at::Device device) {
  const std::vector<double> frequencies = RopeFrequencies(config, dim);
  const double amplitude = config.Amplitude();
  const at::Tensor cos = at::empty({positions, dim / 2}, at::kFloat);
  const at::Tensor sin = at::empty({positions, dim / 2}, at::kFloat);
  float* to_cos = cos.mutable_data_ptr<float>();
  float* to_sin = sin.mutable_data_ptr<float>();
  for (int64_t position = 0; position < positions; ++position) {
    for (const double frequency : frequencies) {
      const float angle =
          static_cast<float>(position) * static_cast<float>(frequency);
      *to_cos++ = static_cast<float>(amplitude * std::cos(double{angle}));
      *to_sin++ = static_cast<float>(amplitude * std::sin(double{angle}));
    }
  }
  return {.cos = cos.to(device), .sin = sin.to(device)};
}

at::Tensor Rotate(const at::Tensor& x, const at::Tensor& cos,
                  const at::Tensor& sin, bool interleave) {
  const at::Tensor c = cos.unsqueeze(1);  // [N, 1, P / 2]
  const at::Tensor s = sin.unsqueeze(1);
  // In float32 or wider, as transformers' tables are.
  const at::Tensor wide = x.to(at::promote_types(x.scalar_type(), at::kFloat));
  const int64_t half = x.size(2) / 2;
  at::Tensor turned;
  if (interleave) {
    const at::Tensor pairs = wide.unflatten(-1, {half, 2});
    const at::Tensor a = pairs.select(-1, 0);
    const at::Tensor b = pairs.select(-1, 1);
    turned = at::stack({a * c - b * s, b * c + a * s}, -1).flatten(-2);
  } else {
    const at::Tensor a = wide.narrow(-1, 0, half);
    const at::Tensor b = wide.narrow(-1, half, half);
    turned = at::cat({a * c - b * s, b * c + a * s}, -1);
  }
  return turned.to(x.scalar_type());
}

}  // namespace cohort
