#include "learner/advantage.h"

#include <algorithm>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "configs/weight_schedule.h"
#include "learner/advantage_rules.h"
#include "learner/length_reward.h"
#include "proto/check.h"

namespace cohort {
namespace {

// REINFORCE++: every token its trajectory's return, then whitened.
void WhitenLessons(const std::vector<Group>& groups,
                   std::vector<GroupLesson>* lessons) {
  std::vector<std::vector<double>> returns;
  for (size_t g = 0; g < groups.size(); ++g) {
    const GroupLesson& lesson = (*lessons)[g];
    for (size_t i = 0; i < lesson.members.size(); ++i) {
      const int tokens =
          groups[g].trajectories(lesson.members[i]).tokens_size();
      returns.emplace_back(static_cast<size_t>(tokens), lesson.advantages[i]);
    }
  }
  WhitenTokens(&returns);
  size_t next = 0;
  for (GroupLesson& lesson : *lessons) {
    lesson.has_spread = false;
    for (size_t i = 0; i < lesson.members.size(); ++i, ++next) {
      const std::vector<double>& own = returns[next];
      lesson.advantages[i] = own.empty() ? 0 : own.front();
      lesson.has_spread = lesson.has_spread || lesson.advantages[i] != 0;
    }
  }
}

}  // namespace

absl::StatusOr<AdvantageNorm> ParseAdvantageNorm(std::string_view name) {
  if (name == "std") return AdvantageNorm::kStd;
  if (name == "mean") return AdvantageNorm::kMeanOnly;
  if (name == "rloo") return AdvantageNorm::kLeaveOneOut;
  if (name == "batch_std") return AdvantageNorm::kStepStd;
  if (name == "reinforce_pp") return AdvantageNorm::kStepTokens;
  return absl::InvalidArgumentError(
      absl::StrCat("advantage '", std::string(name),
                   "': must be std, mean, rloo, batch_std or reinforce_pp"));
}

std::vector<double> GroupAdvantages(absl::Span<const double> rewards,
                                    AdvantageNorm norm) {
  COHORT_CHECK(rewards.size() >= 2 || norm == AdvantageNorm::kStepTokens);
  switch (norm) {
    case AdvantageNorm::kStd:
      return Standardised(rewards, StdOf(rewards, /*ddof=*/1), kStdFloor);
    case AdvantageNorm::kMeanOnly:
    case AdvantageNorm::kStepStd:
      return Centred(rewards);
    case AdvantageNorm::kLeaveOneOut:
      return LeaveOneOut(rewards);
    case AdvantageNorm::kStepTokens:
      break;
  }
  return {rewards.begin(), rewards.end()};
}

RewardRule RewardRuleAt(const StageConfig& stage, int64_t stage_step) {
  const RewardsConfig& rewards = stage.rewards;
  const auto weight = [&](const char* key, double stated) {
    return WeightAt(rewards, key, stated, stage_step);
  };
  return {.weights = {.accuracy =
                          weight("accuracy_weight", rewards.accuracy_weight),
                      .format = weight("format_weight", rewards.format_weight),
                      .length = weight("length_weight", rewards.length_weight)},
          .config = rewards,
          .max_completion_tokens = stage.rollout.max_completion_tokens};
}

RewardParts PartsOf(const RewardRule& rule, const Prompt& prompt,
                    const Trajectory& trajectory) {
  return {.accuracy = trajectory.grade().score(),
          .format = trajectory.grade().format(),
          .length = LengthScore(rule.config, rule.max_completion_tokens, prompt,
                                trajectory)};
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

void SetRewards(const RewardRule& rule, Group* group) {
  const RewardWeights& weights = rule.weights;
  for (Trajectory& trajectory : *group->mutable_trajectories()) {
    if (!HasGrade(trajectory)) {
      trajectory.set_reward(0);
      continue;
    }
    const RewardParts parts = PartsOf(rule, group->prompt(), trajectory);
    double reward =
        weights.accuracy * parts.accuracy + weights.format * parts.format;
    reward += weights.length * parts.length;
    trajectory.set_reward(reward);
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
  if (rewards.size() < 2 && norm != AdvantageNorm::kStepTokens) {
    lesson.advantages.assign(rewards.size(), 0.0);
    return lesson;
  }
  lesson.advantages = GroupAdvantages(rewards, norm);
  const auto [low, high] = std::minmax_element(rewards.begin(), rewards.end());
  lesson.has_spread = !rewards.empty() && *low != *high;
  return lesson;
}

void FinishAdvantages(AdvantageNorm norm, const std::vector<Group>& groups,
                      std::vector<GroupLesson>* lessons) {
  COHORT_CHECK(groups.size() == lessons->size());
  if (norm == AdvantageNorm::kStepTokens) WhitenLessons(groups, lessons);
  if (norm != AdvantageNorm::kStepStd) return;
  std::vector<double> rewards;
  for (size_t g = 0; g < groups.size(); ++g) {
    for (const int member : (*lessons)[g].members) {
      rewards.push_back(groups[g].trajectories(member).reward());
    }
  }
  const double divisor = StdOf(rewards, /*ddof=*/1) + kStdFloor;
  for (GroupLesson& lesson : *lessons) {
    for (double& advantage : lesson.advantages) advantage /= divisor;
  }
}

}  // namespace cohort
