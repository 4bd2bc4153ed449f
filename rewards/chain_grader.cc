#include "rewards/chain_grader.h"

#include <optional>
#include <string_view>

#include "rewards/maths/answer_extract.h"

namespace cohort {

absl::Status ChainGrader::CheckPrompt(const Prompt& prompt) const {
  if (prompt.answer().empty()) return absl::InvalidArgumentError("no answer");
  return absl::OkStatus();
}

absl::StatusOr<Grade> ChainGrader::GradeOne(const Prompt& prompt,
                                            const Completion& completion,
                                            absl::Time /*deadline*/) const {
  const std::optional<std::string_view> answer = LastBraces(completion.text);
  if (!answer.has_value()) return FormatErrorGrade("no {..}");
  if (*answer != prompt.answer()) return WrongGrade(*answer, "");
  return CorrectGrade(*answer);
}

}  // namespace cohort
