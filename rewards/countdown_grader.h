// Countdown: reach a target from given numbers (TinyZero's task, with each
// number used at most once).
#pragma once

#include "rewards/grader.h"

namespace cohort {

// The expression stands in the last <answer>..</answer>, else in the last
// \boxed{..}, else in the last {..}; "expression = target" is taken too. It
// must evaluate to Prompt.target exactly, with each of Prompt.numbers at most
// once.
class CountdownGrader : public Grader {
 public:
  absl::Status CheckPrompt(const Prompt& prompt) const override;
  absl::StatusOr<Grade> GradeOne(const Prompt& prompt,
                                 const Completion& completion,
                                 absl::Time deadline) const override;
};

}  // namespace cohort
