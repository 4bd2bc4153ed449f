// Grade -> reward -> advantage: how much better a completion was than its
// siblings, in units of the group's spread.
//
// Source: DeepSeekMath (arXiv:2402.03300), section 4.1.2.
#pragma once

#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "proto/types.pb.h"

namespace cohort {

enum class AdvantageNorm { kStd, kMeanOnly };

inline constexpr double kStdFloor = 1e-4;  // Same as TRL, so that runs compare.

// `learner.advantage`: "std" or "mean". kInvalidArgument otherwise.
absl::StatusOr<AdvantageNorm> ParseAdvantageNorm(std::string_view name);

// Returns one advantage per reward, in the same order:
//   kStd       (reward - mean) / (std + kStdFloor), std dividing by G - 1
//   kMeanOnly  reward - mean (Dr. GRPO, arXiv:2503.20783)
// A group whose rewards are all equal gets exact zeros. Requires G >= 2.
std::vector<double> GroupAdvantages(absl::Span<const double> rewards,  // [G]
                                    AdvantageNorm norm);

struct RewardWeights {
  double accuracy = 1.0;
  double format = 0.0;
};

// False where the grader itself could not work (grader_error, infra_error) or
// has not been asked: such a trajectory leaves its group.
bool HasGrade(const Trajectory& trajectory);

// Sets the reward of every trajectory: weights.accuracy * score +
// weights.format * format, 0 without a grade.
void SetRewards(const RewardWeights& weights, Group* group);

// What a group teaches.
struct GroupLesson {
  std::vector<int> members;        // Indices of the graded trajectories.
  std::vector<double> advantages;  // One per entry of `members`.
  bool has_spread = false;  // False: all advantages are 0, or < 2 are graded.
};

// Reads Trajectory.reward; trajectories without a grade leave the group before
// mean and deviation are taken.
GroupLesson LessonOf(const Group& group, AdvantageNorm norm);

}  // namespace cohort
