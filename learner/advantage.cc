#include "learner/advantage.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "proto/check.h"

namespace cohort {

absl::StatusOr<AdvantageNorm> ParseAdvantageNorm(std::string_view name) {
  if (name == "std") return AdvantageNorm::kStd;
  if (name == "mean") return AdvantageNorm::kMeanOnly;
  return absl::InvalidArgumentError(absl::StrCat(
      "advantage '", std::string(name), "' is neither std nor mean"));
}

std::vector<double> GroupAdvantages(absl::Span<const double> rewards,
                                    AdvantageNorm norm) {
  COHORT_CHECK(rewards.size() >= 2);
  std::vector<double> advantages(rewards.size(), 0.0);
  // In binary the mean of equal numbers need not be that number.
  const auto [low, high] = std::minmax_element(rewards.begin(), rewards.end());
  if (*low == *high) return advantages;

  const double count = static_cast<double>(rewards.size());
  double sum = 0;
  for (const double reward : rewards) sum += reward;
  const double mean = sum / count;

  double divisor = 1;
  if (norm == AdvantageNorm::kStd) {
    double squares = 0;
    for (const double reward : rewards) {
      squares += (reward - mean) * (reward - mean);
    }
    divisor = std::sqrt(squares / (count - 1)) + kStdFloor;
  }
  for (size_t i = 0; i < rewards.size(); ++i) {
    advantages[i] = (rewards[i] - mean) / divisor;
  }
  return advantages;
}

bool HasGrade(const Trajectory& trajectory) {
  switch (trajectory.grade().verdict()) {
    case VERDICT_UNSPECIFIED:
    case VERDICT_GRADER_ERROR:
    case VERDICT_INFRA_ERROR:
      return false;
    default:
      return true;
  }
}

void SetRewards(const RewardWeights& weights, Group* group) {
  for (Trajectory& trajectory : *group->mutable_trajectories()) {
    trajectory.set_reward(HasGrade(trajectory)
                              ? weights.accuracy * trajectory.grade().score() +
                                    weights.format * trajectory.grade().format()
                              : 0.0);
  }
}

GroupLesson LessonOf(const Group& group, AdvantageNorm norm) {
  GroupLesson lesson;
  std::vector<double> rewards;
  for (int member = 0; member < group.trajectories_size(); ++member) {
    if (!HasGrade(group.trajectories(member))) continue;
    lesson.members.push_back(member);
    rewards.push_back(group.trajectories(member).reward());
  }
  if (rewards.size() < 2) {
    lesson.advantages.assign(rewards.size(), 0.0);
    return lesson;
  }
  lesson.advantages = GroupAdvantages(rewards, norm);
  lesson.has_spread =
      std::any_of(lesson.advantages.begin(), lesson.advantages.end(),
                  [](double advantage) { return advantage != 0; });
  return lesson;
}

}  // namespace cohort
