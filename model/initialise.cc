#include <torch/types.h>

#include <cmath>
#include <numbers>
#include <string_view>

#include "model/weights.h"

namespace cohort {
namespace {

// Steele et al., "Fast splittable pseudorandom number generators" (2014).
uint64_t SplitMix64(uint64_t x) {
  x += 0x9E3779B97F4A7C15u;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  return x ^ (x >> 31);
}

uint64_t Fnv1a(std::string_view text) {
  uint64_t hash = 0xCBF29CE484222325u;
  for (const char c : text) {
    hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001B3u;
  }
  return hash;
}

// Element i depends on (seed, name, i) alone: Box and Muller's transform of two
// numbers of a counter-based generator, in double, rounded once.
void FillNormal(const NamedTensor& view, double deviation, uint64_t seed) {
  const at::Tensor values = at::empty(view.tensor.sizes(), at::kFloat);
  float* const to = values.mutable_data_ptr<float>();
  const uint64_t key = SplitMix64(seed ^ SplitMix64(Fnv1a(view.name)));
  const auto uniform = [key](uint64_t i) {  // Above 0, up to 1.
    return std::ldexp(static_cast<double>((SplitMix64(key + i) >> 11) + 1),
                      -53);
  };
  const int64_t count = values.numel();
  for (int64_t i = 0; i < count; i += 2) {
    const uint64_t counter = static_cast<uint64_t>(i);
    const double radius = std::sqrt(-2 * std::log(uniform(counter)));
    const double angle = 2 * std::numbers::pi * uniform(counter + 1);
    to[i] = static_cast<float>(deviation * radius * std::cos(angle));
    if (i + 1 < count) {
      to[i + 1] = static_cast<float>(deviation * radius * std::sin(angle));
    }
  }
  view.tensor.copy_(values);
}

bool EndsWith(const std::string& name, std::string_view end) {
  return name.size() >= end.size() &&
         std::string_view(name).substr(name.size() - end.size()) == end;
}

double FanInDeviation(const NamedTensor& view, double embedding_std) {
  if (EndsWith(view.name, "embed_tokens.weight")) return embedding_std;
  const double deviation =
      1 / std::sqrt(static_cast<double>(view.tensor.size(1)));
  const bool to_residual = EndsWith(view.name, ".o_proj.weight") ||
                           EndsWith(view.name, ".down_proj.weight");
  return to_residual ? deviation / 2 : deviation;
}

}  // namespace

void InitialiseWeights(const ModelConfig& config, const ModelWeights& weights,
                       const std::string& init, double embedding_std,
                       uint64_t seed) {
  TORCH_CHECK(init == "fan_in" || init == "normal", "model.init: \"", init,
              "\" is neither fan_in nor normal");
  const at::NoGradGuard no_grad;
  for (const NamedTensor& view : HfViews(config, weights)) {
    if (EndsWith(view.name, "bias")) {
      view.tensor.zero_();
    } else if (view.tensor.dim() == 1) {
      view.tensor.fill_(1);
    } else {
      FillNormal(view,
                 init == "normal" ? config.initializer_range
                                  : FanInDeviation(view, embedding_std),
                 seed);
    }
  }
}

}  // namespace cohort
