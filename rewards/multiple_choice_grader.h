// The letter of an option.
#pragma once

#include "rewards/grader.h"

namespace cohort {

// Correct where the completion ends up with the option Prompt.answer ("B" or
// "(B)"): the letter in the last box, else in the last <answer>, else the one
// that the text behind the last "</think>" names (rewards/choice_extract.h).
// The row's `choices`, if it has them ("ABCD"), are the letters there are.
class MultipleChoiceGrader : public Grader {
 public:
  absl::Status CheckPrompt(const Prompt& prompt) const override;
  absl::StatusOr<Grade> GradeOne(const Prompt& prompt,
                                 const Completion& completion,
                                 absl::Time deadline) const override;
};

}  // namespace cohort
