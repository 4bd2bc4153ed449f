#include "learner/optimizer.h"

#include <ATen/Parallel.h>
#include <torch/types.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace cohort {
namespace {

// Sums are taken over runs of this many numbers, then over the runs in order,
// whatever the number of threads.
constexpr int64_t kRun = 1 << 15;

double SumOfSquares(const at::Tensor& tensor) {
  if (!tensor.is_cpu()) {
    return tensor.to(at::kFloat).square().sum(at::kDouble).item<double>();
  }
  const at::Tensor values = tensor.to(at::kFloat).contiguous();
  const float* value = values.const_data_ptr<float>();
  const int64_t count = values.numel();
  std::vector<double> sums((count + kRun - 1) / kRun);
  at::parallel_for(0, static_cast<int64_t>(sums.size()), 1,
                   [&](int64_t begin, int64_t end) {
                     for (int64_t run = begin; run < end; ++run) {
                       double sum = 0;
                       const int64_t last = std::min(count, (run + 1) * kRun);
                       for (int64_t i = run * kRun; i < last; ++i) {
                         sum += double{value[i]} * double{value[i]};
                       }
                       sums[run] = sum;
                     }
                   });
  double total = 0;
  for (const double sum : sums) total += sum;
  return total;
}

bool IsEmbedding(const std::string& name) {
  return absl::StrContains(name, "embed_tokens");
}

}  // namespace

double LearningRateAt(const LearnerConfig& config, int64_t step,
                      int64_t steps) {
  const double peak = config.learning_rate;
  const int64_t warmup = config.warmup_steps;
  if (step < warmup) {
    return peak * static_cast<double>(step + 1) / static_cast<double>(warmup);
  }
  const double length =
      static_cast<double>(std::max<int64_t>(steps - warmup, 1));
  const double done =
      std::clamp(static_cast<double>(step - warmup) / length, 0.0, 1.0);
  double left = 1;  // Share of the way from the final rate to the peak.
  if (config.schedule == "linear") left = 1 - done;
  if (config.schedule == "cosine") {
    left = (1 + std::cos(std::numbers::pi * done)) / 2;
  }
  return peak * (config.final_rate + (1 - config.final_rate) * left);
}

AdamW::AdamW(std::vector<NamedTensor> parameters, const LearnerConfig& config)
    : beta1_(config.beta1),
      beta2_(config.beta2),
      epsilon_(config.adam_epsilon),
      gradient_clip_(config.gradient_clip) {
  for (NamedTensor& named : parameters) {
    const at::Tensor flat = named.tensor.detach();
    Slot slot;
    slot.weight_decay =
        flat.dim() >= 2 && !IsEmbedding(named.name) ? config.weight_decay : 0;
    slot.name = std::move(named.name);
    slot.parameter = std::move(named.tensor);
    slot.master = flat.to(at::kFloat);  // Shares storage where it is float32.
    slot.first = at::zeros_like(slot.master);
    slot.second = at::zeros_like(slot.master);
    slots_.push_back(std::move(slot));
  }
}

double AdamW::GradientNorm() const {
  double sum = 0;
  for (const Slot& slot : slots_) {
    if (slot.parameter.grad().defined()) {
      sum += SumOfSquares(slot.parameter.grad());
    }
  }
  return std::sqrt(sum);
}

OptimizerStep AdamW::Step(double learning_rate) {
  const at::NoGradGuard no_grad;
  OptimizerStep result;
  result.gradient_norm = GradientNorm();
  result.skipped = !std::isfinite(result.gradient_norm);
  if (!result.skipped) {
    const double scale =
        gradient_clip_ > 0
            ? std::min(1.0, gradient_clip_ / (result.gradient_norm + 1e-6))
            : 1.0;
    ++steps_;
    for (const Slot& slot : slots_) Update(slot, learning_rate, scale);
  }
  for (const Slot& slot : slots_) slot.parameter.mutable_grad().reset();
  return result;
}

void AdamW::Update(const Slot& slot, double learning_rate, double scale) const {
  const double count = static_cast<double>(steps_);
  const double correction1 = 1 - std::pow(beta1_, count);
  const double root2 = std::sqrt(1 - std::pow(beta2_, count));
  const double keep = 1 - learning_rate * slot.weight_decay;
  const double rate = learning_rate / correction1;
  const at::Tensor gradient =
      slot.parameter.grad().defined()
          ? slot.parameter.grad().to(at::kFloat).contiguous()
          : at::zeros_like(slot.master);
  if (!slot.master.is_cpu() || !slot.master.is_contiguous()) {
    slot.master.mul_(keep);
    slot.first.lerp_(gradient * scale, 1 - beta1_);
    slot.second.mul_(beta2_).addcmul_(gradient, gradient,
                                      (1 - beta2_) * scale * scale);
    slot.master.addcdiv_(slot.first,
                         (slot.second.sqrt() / root2).add_(epsilon_), -rate);
  } else {
    float* const weight = slot.master.mutable_data_ptr<float>();
    float* const first = slot.first.mutable_data_ptr<float>();
    float* const second = slot.second.mutable_data_ptr<float>();
    const float* const slope = gradient.const_data_ptr<float>();
    const auto to_float = [](double value) {
      return static_cast<float>(value);
    };
    const float kept = to_float(keep), factor = to_float(scale),
                new1 = to_float(1 - beta1_), old2 = to_float(beta2_),
                new2 = to_float(1 - beta2_), step = to_float(rate),
                root = to_float(1 / root2), floor = to_float(epsilon_);
    at::parallel_for(
        0, slot.master.numel(), kRun, [&](int64_t begin, int64_t end) {
          for (int64_t i = begin; i < end; ++i) {
            const float g = slope[i] * factor;
            first[i] += (g - first[i]) * new1;
            second[i] = second[i] * old2 + g * g * new2;
            weight[i] = weight[i] * kept -
                        step * first[i] / (std::sqrt(second[i]) * root + floor);
          }
        });
  }
  if (slot.parameter.scalar_type() != at::kFloat) {
    at::Tensor(slot.parameter).copy_(slot.master);
  }
}

std::vector<NamedTensor> AdamW::State() const {
  std::vector<NamedTensor> state;
  for (const Slot& slot : slots_) {
    state.push_back({slot.name + ".first", slot.first});
    state.push_back({slot.name + ".second", slot.second});
    if (slot.parameter.scalar_type() != at::kFloat) {
      state.push_back({slot.name + ".master", slot.master});
    }
  }
  return state;
}

absl::Status AdamW::Restore(const std::vector<NamedTensor>& state,
                            int64_t steps) {
  const at::NoGradGuard no_grad;
  std::map<std::string, at::Tensor> saved;
  for (const NamedTensor& named : state) saved[named.name] = named.tensor;
  for (NamedTensor& own : State()) {
    const auto found = saved.find(own.name);
    if (found == saved.end() || found->second.sizes() != own.tensor.sizes()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "optimizer state: tensor '", own.name,
          found == saved.end() ? "' is missing" : "' has another shape"));
    }
    own.tensor.copy_(found->second);
    saved.erase(found);
  }
  if (!saved.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "optimizer state: unknown tensor '", saved.begin()->first, "'"));
  }
  for (const Slot& slot : slots_) {
    if (slot.parameter.scalar_type() != at::kFloat) {
      at::Tensor(slot.parameter).copy_(slot.master);
    }
  }
  steps_ = steps;
  return absl::OkStatus();
}

}  // namespace cohort
