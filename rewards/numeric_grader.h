// A number, within a tolerance.
#pragma once

#include "rewards/grader.h"

namespace cohort {

// The number in the last box, else in the last <answer>, else on the last
// "####" line, else the last number behind the last "</think>": written with
// digits, commas between thousands, a point and an exponent, or as a fraction
// of two such. Correct where it differs from Prompt.answer by at most the row's
// `tolerance` (absolute) or `relative_tolerance` (of the answer); 1e-9 of the
// answer where the row has neither.
class NumericGrader : public Grader {
 public:
  absl::Status CheckPrompt(const Prompt& prompt) const override;
  absl::StatusOr<Grade> GradeOne(const Prompt& prompt,
                                 const Completion& completion,
                                 absl::Time deadline) const override;
};

}  // namespace cohort
