#include "rewards/exact_grader.h"

#include <string_view>

#include "rewards/maths/answer_extract.h"

namespace cohort {

absl::Status ExactGrader::CheckPrompt(const Prompt& prompt) const {
  if (prompt.answer().empty()) return absl::InvalidArgumentError("no answer");
  return absl::OkStatus();
}

absl::StatusOr<Grade> ExactGrader::GradeOne(const Prompt& prompt,
                                            const Completion& completion,
                                            absl::Time /*deadline*/) const {
  const std::string_view text = Trimmed(AfterThinking(completion.text));
  if (text.empty()) return FormatErrorGrade("empty");
  if (text != Trimmed(prompt.answer())) return WrongGrade(text, "");
  return CorrectGrade(text);
}

}  // namespace cohort
