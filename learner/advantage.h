// Grade -> reward -> advantage: how much better a completion was than its
// siblings.
//
// Sources of the rules: learner/advantage_rules.h.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "configs/config.h"
#include "proto/types.pb.h"

namespace cohort {

enum class AdvantageNorm {
  kStd,          // (reward - mean) / (std + kStdFloor), std over G - 1
  kMeanOnly,     // reward - mean
  kLeaveOneOut,  // reward - mean of the others
  kStepStd,      // (reward - mean) / (std of the step's rewards + kStdFloor)
  kStepTokens,   // Whitened over all tokens of the step.
};

inline constexpr double kStdFloor = 1e-4;  // Same as TRL, so that runs compare.

// `learner.advantage`: "std", "mean", "rloo", "batch_std" or "reinforce_pp".
// kInvalidArgument otherwise.
absl::StatusOr<AdvantageNorm> ParseAdvantageNorm(std::string_view name);

// Returns one advantage per reward, in the same order: what the group alone
// says. Under kStepStd that is reward - mean, under kStepTokens the reward
// itself; FinishAdvantages does the rest. A group whose rewards are all equal
// gets exact zeros, except under kStepTokens. Requires G >= 2, or kStepTokens.
std::vector<double> GroupAdvantages(absl::Span<const double> rewards,  // [G]
                                    AdvantageNorm norm);

// The weights of the reward's parts that are in force.
struct RewardWeights {
  double accuracy = 1.0;
  double format = 0.0;
  double length = 0.0;
};

// What SetRewards needs: the weights of a stage at one of its steps, and how
// length is scored.
struct RewardRule {
  RewardWeights weights;
  RewardsConfig config;
  int64_t max_completion_tokens = 0;
};
RewardRule RewardRuleAt(const StageConfig& stage, int64_t stage_step);

// A trajectory's reward by its parts, before their weights.
struct RewardParts {
  double accuracy = 0;
  double format = 0;
  double length = 0;
};
RewardParts PartsOf(const RewardRule& rule, const Prompt& prompt,
                    const Trajectory& trajectory);

// False where the grader itself could not work (grader_error, infra_error) or
// has not been asked: such a trajectory leaves its group.
bool HasGrade(const Trajectory& trajectory);

// Sets the reward of every trajectory: the weighted sum of its parts, 0 without
// a grade.
void SetRewards(const RewardRule& rule, Group* group);

// What a group teaches.
struct GroupLesson {
  std::vector<int> members;        // Indices of the graded trajectories.
  std::vector<double> advantages;  // One per entry of `members`.
  bool has_spread = false;         // False: nothing tells the members apart.
};

// Reads Trajectory.reward; trajectories without a grade leave the group before
// mean and deviation are taken.
GroupLesson LessonOf(const Group& group, AdvantageNorm norm);

// The part of a rule that looks at the whole step; nothing under the others.
//   lessons: of `groups`, as LessonOf gave them
void FinishAdvantages(AdvantageNorm norm, const std::vector<Group>& groups,
                      std::vector<GroupLesson>* lessons);

}  // namespace cohort
