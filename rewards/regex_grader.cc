#include "rewards/regex_grader.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "re2/re2.h"
#include "rewards/maths/answer_extract.h"

namespace cohort {
namespace {

// RE2 is linear in the text; this bounds the pattern.
RE2::Options PatternOptions() {
  RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(int64_t{8} << 20);
  return options;
}

}  // namespace

absl::Status RegexGrader::CheckPrompt(const Prompt& prompt) const {
  if (prompt.answer().empty()) return absl::InvalidArgumentError("no answer");
  const RE2 pattern(prompt.answer(), PatternOptions());
  if (pattern.ok()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("the pattern is none: ", pattern.error()));
}

absl::StatusOr<Grade> RegexGrader::GradeOne(const Prompt& prompt,
                                            const Completion& completion,
                                            absl::Time /*deadline*/) const {
  const RE2 pattern(prompt.answer(), PatternOptions());
  const std::string_view text = AfterThinking(completion.text);
  re2::StringPiece groups[2];
  const int wanted = pattern.NumberOfCapturingGroups() > 0 ? 2 : 1;
  if (!pattern.Match(re2::StringPiece(text.data(), text.size()), 0, text.size(),
                     RE2::UNANCHORED, groups, wanted)) {
    return WrongGrade("", "the pattern is not found");
  }
  const re2::StringPiece& shown = groups[wanted - 1];
  return CorrectGrade({shown.data(), shown.size()});
}

}  // namespace cohort
