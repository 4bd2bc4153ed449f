#include "rewards/math_grader.h"

#include "proto/status.h"
#include "rewards/maths/answers.h"

namespace cohort {

absl::Status MathGrader::CheckPrompt(const Prompt& prompt) const {
  return ReadGold(prompt.answer(), AnswerForm::kBare, MathPolicy()).status();
}

absl::StatusOr<Grade> MathGrader::GradeOne(const Prompt& prompt,
                                           const Completion& completion,
                                           absl::Time /*deadline*/) const {
  const MathPolicy policy;
  COHORT_ASSIGN_OR_RETURN(const ReadAnswer gold,
                          ReadGold(prompt.answer(), AnswerForm::kBare, policy));
  return GradePrediction(gold, completion.text, AnswerForm::kCompletion,
                         policy);
}

}  // namespace cohort
