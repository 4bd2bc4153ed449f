// Whole numbers, decimals and simple fractions, compared exactly.
#pragma once

#include <string_view>

#include "rewards/grader.h"

namespace cohort {

// The final answer is the last box; without one the last <answer>, the last
// "####" line, the last number. What stands before "</think>" is not read.
class MathGrader : public Grader {
 public:
  absl::Status CheckPrompt(const Prompt& prompt) const override;
  absl::StatusOr<Grade> GradeOne(const Prompt& prompt,
                                 const Completion& completion,
                                 absl::Time deadline) const override;
};

// Judges a bare answer against a bare gold answer.
//   kInvalidArgument  `gold` is none of the numbers that this grader knows
absl::StatusOr<Grade> GradeAnswerPair(std::string_view gold,
                                      std::string_view prediction);

// The final answer of `text` as MathGrader finds it; empty where it has none.
std::string_view FinalAnswer(std::string_view text);

}  // namespace cohort
