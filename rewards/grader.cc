#include "rewards/grader.h"

#include <cstdint>

#include "proto/status.h"

namespace cohort {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD.

bool IsContinuation(char byte) { return (byte & 0xC0) == 0x80; }

// Bytes of the valid character at the start of `text`; 0 where there is none.
// Source: RFC 3629, section 4 (no overlong forms, no surrogates).
size_t CharacterBytes(std::string_view text) {
  const auto lead = static_cast<uint8_t>(text[0]);
  if (lead < 0x80) return 1;
  const size_t size = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < size) return 0;
  for (size_t i = 1; i < size; ++i) {
    if (!IsContinuation(text[i])) return 0;
  }
  const auto second = static_cast<uint8_t>(text[1]);
  if (lead == 0xE0 && second < 0xA0) return 0;
  if (lead == 0xED && second > 0x9F) return 0;
  if (lead == 0xF0 && second < 0x90) return 0;
  if (lead == 0xF4 && second > 0x8F) return 0;
  return size;
}

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
