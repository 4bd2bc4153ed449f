// Chains of arithmetic modulo 10: the demo's task.
#pragma once

#include "rewards/grader.h"

namespace cohort {

// Correct where the last {..} holds Prompt.answer to the letter, whatever
// stands around it.
class ChainGrader : public Grader {
 public:
  absl::Status CheckPrompt(const Prompt& prompt) const override;
  absl::StatusOr<Grade> GradeOne(const Prompt& prompt,
                                 const Completion& completion,
                                 absl::Time deadline) const override;
};

}  // namespace cohort
