#include "rewards/grader.h"

#include "proto/status.h"
#include "rewards/maths/text.h"

namespace cohort {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD.

}  // namespace

std::string ShownBytes(std::string_view text) {
  std::string shown;
  while (!text.empty()) {
    const size_t size = CharacterBytes(text);
    const std::string_view character =
        size == 0 ? kReplacement : text.substr(0, size);
    if (shown.size() + character.size() > kMaxShownBytes) {
      shown += "...";
      break;
    }
    shown += character;
    text.remove_prefix(size == 0 ? 1 : size);
  }
  return shown;
}

absl::StatusOr<std::vector<Grade>> Grader::GradeMany(
    const Prompt& prompt, absl::Span<const Completion> completions,
    absl::Time deadline) const {
  std::vector<Grade> grades(completions.size());
  for (size_t i = 0; i < completions.size(); ++i) {
    COHORT_ASSIGN_OR_RETURN(grades[i],
                            GradeOne(prompt, completions[i], deadline));
  }
  return grades;
}

Grade CorrectGrade(std::string_view extracted) {
  Grade grade;
  grade.set_verdict(VERDICT_CORRECT);
  grade.set_score(1);
  grade.set_extracted(ShownBytes(extracted));
  return grade;
}

Grade WrongGrade(std::string_view extracted, std::string_view reason) {
  Grade grade;
  grade.set_verdict(VERDICT_WRONG);
  grade.set_extracted(ShownBytes(extracted));
  grade.set_reason(ShownBytes(reason));
  return grade;
}

Grade FormatErrorGrade(std::string_view reason) {
  Grade grade;
  grade.set_verdict(VERDICT_FORMAT_ERROR);
  grade.set_reason(ShownBytes(reason));
  return grade;
}

std::string_view Trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\n\v\f\r";
  const size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

}  // namespace cohort
