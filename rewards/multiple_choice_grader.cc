#include "rewards/multiple_choice_grader.h"

#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "proto/status.h"
#include "rewards/maths/answer_extract.h"
#include "rewards/maths/choice_extract.h"
#include "rewards/prompt_row.h"

namespace cohort {
namespace {

// 0 where no option, or more than one, is named.
char ChosenLetter(std::string_view text, std::string_view choices) {
  text = AfterThinking(text);
  for (const auto& find : {LastBoxed, LastAnswerTag}) {
    if (const auto marked = find(text)) return LetterOfAnswer(*marked);
  }
  return LetterOfText(text, choices);
}

}  // namespace

absl::Status MultipleChoiceGrader::CheckPrompt(const Prompt& prompt) const {
  const char right = GoldLetter(prompt.answer());
  if (right == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("the answer '", prompt.answer(), "' is no option"));
  }
  COHORT_ASSIGN_OR_RETURN(const std::optional<std::string> choices,
                          TextField(prompt, "choices"));
  if (choices && choices->find(right) == std::string::npos) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the answer '", prompt.answer(), "' is none of '", *choices, "'"));
  }
  return absl::OkStatus();
}

absl::StatusOr<Grade> MultipleChoiceGrader::GradeOne(
    const Prompt& prompt, const Completion& completion,
    absl::Time /*deadline*/) const {
  COHORT_ASSIGN_OR_RETURN(const std::optional<std::string> choices,
                          TextField(prompt, "choices"));
  const char letter = ChosenLetter(completion.text, choices.value_or(""));
  if (letter == 0) return FormatErrorGrade("no option");
  const std::string_view chosen(&letter, 1);
  if (letter != GoldLetter(prompt.answer())) return WrongGrade(chosen, "");
  return CorrectGrade(chosen);
}

}  // namespace cohort
