// Whole numbers, decimals and simple fractions, compared exactly.
#pragma once

#include <optional>
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

// The answer that `text` marks: by a box, <answer> or "####". Empty if none.
std::optional<std::string_view> MarkedAnswer(std::string_view text);

}  // namespace cohort
