// Weights of the reward's parts that change with the stage's steps
// (rewards.schedule).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "configs/config.h"

namespace cohort {

// From `step` on the weight is `weight`.
struct WeightStep {
  int64_t step = 0;
  double weight = 0;
  bool operator==(const WeightStep&) const = default;
};

// Reads "0: 1, 400: 0.5". kInvalidArgument: not of that form, a negative
// number, or steps that do not rise.
absl::StatusOr<std::vector<WeightStep>> ParseWeightSteps(std::string_view text);

// The weight in force for the stage's step `step`, counted from 0.
//   key: such as "format_weight", one of `rewards`' own
//   stated: what `rewards` has under that key
// A schedule that cannot be read counts as none: the config's checks refuse it.
double WeightAt(const RewardsConfig& rewards, const std::string& key,
                double stated, int64_t step);

}  // namespace cohort
