// A pattern that the completion must have.
#pragma once

#include "rewards/grader.h"

namespace cohort {

// Correct where the RE2 pattern Prompt.answer is found in the completion behind
// the last "</think>"; anchors and flags such as (?s) are the pattern's own.
// `extracted` is the first group, or the whole match where there is none.
class RegexGrader : public Grader {
 public:
  absl::Status CheckPrompt(const Prompt& prompt) const override;
  absl::StatusOr<Grade> GradeOne(const Prompt& prompt,
                                 const Completion& completion,
                                 absl::Time deadline) const override;
};

}  // namespace cohort
