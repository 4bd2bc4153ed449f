#include "rewards/math_grader.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "proto/status.h"
#include "rewards/answer_extract.h"
#include "rewards/math_expr.h"

namespace cohort {
namespace {

absl::StatusOr<Number> ParseGold(std::string_view gold) {
  std::optional<Number> number = ParseNumber(gold);
  if (number.has_value()) return *std::move(number);
  return absl::InvalidArgumentError(
      absl::StrCat("answer '", std::string(gold.substr(0, 80)),
                   "' is no whole number, decimal or simple fraction"));
}

Grade Compare(const Number& gold, std::string_view prediction) {
  const std::optional<Number> number = ParseNumber(prediction);
  if (!number.has_value()) return WrongGrade(prediction, "not a number");
  if (!SameNumber(gold, *number)) return WrongGrade(prediction, "");
  return CorrectGrade(prediction);
}

}  // namespace

std::optional<std::string_view> MarkedAnswer(std::string_view text) {
  for (const auto find : {LastBoxed, LastAnswerTag, LastHashes}) {
    if (const auto found = find(text); found.has_value()) {
      return Trimmed(*found);
    }
  }
  return std::nullopt;
}

absl::StatusOr<Grade> GradeAnswerPair(std::string_view gold,
                                      std::string_view prediction) {
  COHORT_ASSIGN_OR_RETURN(const Number number, ParseGold(gold));
  return Compare(number, Trimmed(prediction));
}

absl::Status MathGrader::CheckPrompt(const Prompt& prompt) const {
  if (prompt.answer().empty()) {
    return absl::InvalidArgumentError("no answer");
  }
  return ParseGold(prompt.answer()).status();
}

absl::StatusOr<Grade> MathGrader::GradeOne(const Prompt& prompt,
                                           const Completion& completion,
                                           absl::Time /*deadline*/) const {
  const std::string_view text = AfterThinking(completion.text);
  std::optional<std::string_view> answer = MarkedAnswer(text);
  if (!answer.has_value()) answer = LastNumber(text);
  if (!answer.has_value() || answer->empty()) {
    return FormatErrorGrade("no final answer");
  }
  return GradeAnswerPair(prompt.answer(), *answer);
}

}  // namespace cohort
