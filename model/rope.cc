#include "model/rope.h"

#include <torch/types.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <optional>

namespace cohort {
namespace {

// The pair that turns `rotations` times over the original context.
double PairOfRotations(const RopeConfig& config, double dim, double rotations) {
  const double context =
      static_cast<double>(config.original_max_position_embeddings);
  return dim * std::log(context / (rotations * 2 * std::numbers::pi)) /
         (2 * std::log(config.theta));
}

// Multiplies the frequency of pair `i` by what YaRN makes of it.
class YarnRamp {
 public:
  YarnRamp(const RopeConfig& config, double width) : factor_(config.factor) {
    low_ = PairOfRotations(config, width, config.beta_fast);
    high_ = PairOfRotations(config, width, config.beta_slow);
    if (config.truncate) {
      low_ = std::floor(low_);
      high_ = std::ceil(high_);
    }
    low_ = std::max(low_, 0.0);
    high_ = std::min(high_, width - 1);
    if (low_ == high_) high_ += 0.001;
  }

  double Stretch(int64_t i, double plain) const {
    const double ramp =
        std::clamp((static_cast<double>(i) - low_) / (high_ - low_), 0.0, 1.0);
    return plain / factor_ * ramp + plain * (1 - ramp);
  }

 private:
  double factor_;
  double low_;
  double high_;
};

// Llama 3.1: long waves are stretched by the factor, short ones kept, those in
// between in proportion.
double StretchAsLlama3(const RopeConfig& config, double plain) {
  const double context =
      static_cast<double>(config.original_max_position_embeddings);
  const double wave = 2 * std::numbers::pi / plain;
  if (wave < context / config.high_freq_factor) return plain;
  if (wave > context / config.low_freq_factor) return plain / config.factor;
  const double kept = (context / wave - config.low_freq_factor) /
                      (config.high_freq_factor - config.low_freq_factor);
  return (1 - kept) * plain / config.factor + kept * plain;
}

}  // namespace

std::vector<double> RopeFrequencies(const RopeConfig& config, int64_t dim) {
  const double width = static_cast<double>(dim);
  std::optional<YarnRamp> yarn;
  if (config.type == RopeType::kYarn) yarn.emplace(config, width);
  std::vector<double> frequencies;
  for (int64_t i = 0; i < dim / 2; ++i) {
    const double plain =
        std::pow(config.theta, -2 * static_cast<double>(i) / width);
    switch (config.type) {
      case RopeType::kDefault:
        frequencies.push_back(plain);
        break;
      case RopeType::kYarn:
        frequencies.push_back(yarn->Stretch(i, plain));
        break;
      case RopeType::kLlama3:
        frequencies.push_back(StretchAsLlama3(config, plain));
        break;
    }
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
