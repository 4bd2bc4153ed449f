#include "configs/weight_schedule.h"

#include <cmath>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"

namespace cohort {

absl::StatusOr<std::vector<WeightStep>> ParseWeightSteps(
    std::string_view text) {
  std::vector<WeightStep> steps;
  for (const absl::string_view entry :
       absl::StrSplit(absl::string_view(text.data(), text.size()), ',')) {
    const std::pair<absl::string_view, absl::string_view> parts =
        absl::StrSplit(entry, absl::MaxSplits(':', 1));
    WeightStep step;
    if (!absl::SimpleAtoi(parts.first, &step.step) || step.step < 0 ||
        !absl::SimpleAtod(parts.second, &step.weight) ||
        !std::isfinite(step.weight) || step.weight < 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("'", absl::StripAsciiWhitespace(entry),
                       "' is not \"step: weight\", both at least 0"));
    }
    if (!steps.empty() && step.step <= steps.back().step) {
      return absl::InvalidArgumentError(absl::StrCat(
          "step ", step.step, " does not come after step ", steps.back().step));
    }
    steps.push_back(step);
  }
  return steps;
}

double WeightAt(const RewardsConfig& rewards, const std::string& key,
                double stated, int64_t step) {
  const auto found = rewards.schedule.find(key);
  if (found == rewards.schedule.end()) return stated;
  const auto steps = ParseWeightSteps(found->second);
  if (!steps.ok()) return stated;
  double weight = stated;
  for (const WeightStep& change : *steps) {
    if (change.step <= step) weight = change.weight;
  }
  return weight;
}

}  // namespace cohort
