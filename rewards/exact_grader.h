// The whole completion, to the letter.
#pragma once

#include "rewards/grader.h"

namespace cohort {

// Correct where the completion behind the last "</think>" is Prompt.answer,
// both without whitespace around them.
class ExactGrader : public Grader {
 public:
  absl::Status CheckPrompt(const Prompt& prompt) const override;
  absl::StatusOr<Grade> GradeOne(const Prompt& prompt,
                                 const Completion& completion,
                                 absl::Time deadline) const override;
};

}  // namespace cohort
