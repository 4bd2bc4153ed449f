// The verifier "math".
#pragma once

#include "rewards/grader.h"

namespace cohort {

// Completions against Prompt.answer, by the rules of rewards/maths/answers.h
// under Prompt.math_policy and the "opts" of the prompt's row.
class MathGrader : public Grader {
 public:
  absl::Status CheckPrompt(const Prompt& prompt) const override;
  absl::StatusOr<Grade> GradeOne(const Prompt& prompt,
                                 const Completion& completion,
                                 absl::Time deadline) const override;
  GradingPlace place() const override { return GradingPlace::kWorker; }
};

}  // namespace cohort
