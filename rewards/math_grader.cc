#include "rewards/math_grader.h"

#include <string>

#include "configs/math_policy.h"
#include "nlohmann/json.hpp"
#include "proto/status.h"
#include "rewards/math_options.h"
#include "rewards/maths/answers.h"

namespace cohort {
namespace {

// What the prompt and, where it has them, the "opts" of its row choose.
absl::StatusOr<MathPolicy> PolicyOf(const Prompt& prompt) {
  std::string policy = prompt.math_policy();
  if (prompt.row_json().find("\"opts\"") != std::string::npos) {
    const nlohmann::json row =
        nlohmann::json::parse(prompt.row_json(), nullptr, false);
    if (row.is_object() && row.contains("opts")) {
      COHORT_ASSIGN_OR_RETURN(policy, WithOptions(policy, row["opts"]));
    }
  }
  return ParseMathPolicy(policy);
}

absl::StatusOr<ReadAnswer> GoldOf(const Prompt& prompt,
                                  const MathPolicy& policy) {
  const AnswerForm form = prompt.answer_form() == ANSWER_FORM_TEXT
                              ? ANSWER_FORM_TEXT
                              : ANSWER_FORM_BARE;
  return ReadGold(prompt.answer(), form, policy);
}

}  // namespace

absl::Status MathGrader::CheckPrompt(const Prompt& prompt) const {
  COHORT_ASSIGN_OR_RETURN(const MathPolicy policy, PolicyOf(prompt));
  return GoldOf(prompt, policy).status();
}

absl::StatusOr<Grade> MathGrader::GradeOne(const Prompt& prompt,
                                           const Completion& completion,
                                           absl::Time /*deadline*/) const {
  COHORT_ASSIGN_OR_RETURN(const MathPolicy policy, PolicyOf(prompt));
  COHORT_ASSIGN_OR_RETURN(const ReadAnswer gold, GoldOf(prompt, policy));
  Grade grade =
      GradePrediction(gold, completion.text, prompt.answer_form(), policy);
  grade.set_policy_version(kMathPolicyVersion);
  return grade;
}

}  // namespace cohort
