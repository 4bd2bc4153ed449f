#include "learner/advantage_rules.h"

#include <algorithm>
#include <cmath>

namespace cohort {
namespace {

// In binary the mean of equal numbers need not be that number.
bool AllEqual(absl::Span<const double> values) {
  return std::all_of(values.begin(), values.end(),
                     [&](double value) { return value == values.front(); });
}

}  // namespace

double MeanOf(absl::Span<const double> values) {
  if (values.empty()) return 0;
  double sum = 0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

double StdOf(absl::Span<const double> values, int ddof) {
  const double divisor = static_cast<double>(values.size()) - ddof;
  if (divisor <= 0 || AllEqual(values)) return 0;
  const double mean = MeanOf(values);
  double squares = 0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  return std::sqrt(squares / divisor);
}

std::vector<double> Centred(absl::Span<const double> rewards) {
  std::vector<double> advantages(rewards.size(), 0.0);
  if (AllEqual(rewards)) return advantages;
  const double mean = MeanOf(rewards);
  for (size_t i = 0; i < rewards.size(); ++i) advantages[i] = rewards[i] - mean;
  return advantages;
}

std::vector<double> Standardised(absl::Span<const double> rewards,
                                 double divisor, double floor) {
  std::vector<double> advantages = Centred(rewards);
  for (double& advantage : advantages) {
    advantage = divisor + floor > 0 ? advantage / (divisor + floor) : 0;
  }
  return advantages;
}

std::vector<double> LeaveOneOut(absl::Span<const double> rewards) {
  std::vector<double> advantages = Centred(rewards);
  const double count = static_cast<double>(rewards.size());
  for (double& advantage : advantages) {
    advantage = count > 1 ? advantage * (count / (count - 1)) : 0;
  }
  return advantages;
}

void WhitenTokens(std::vector<std::vector<double>>* returns) {
  std::vector<double> all;
  for (const std::vector<double>& own : *returns) {
    all.insert(all.end(), own.begin(), own.end());
  }
  const double mean = MeanOf(all);
  const double std = StdOf(all, /*ddof=*/0);
  for (std::vector<double>& own : *returns) {
    for (double& value : own) value = std > 0 ? (value - mean) / std : 0;
  }
}

}  // namespace cohort
