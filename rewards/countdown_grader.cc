#include "rewards/countdown_grader.h"

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "rewards/arithmetic.h"
#include "rewards/maths/answer_extract.h"

namespace cohort {
namespace {

// Bounds the size of the exact values: 64 bits for each number.
constexpr int kMaxNumbers = 64;

std::string_view FinalExpression(std::string_view text) {
  for (const auto find : {LastAnswerTag, LastBoxed, LastBraces}) {
    if (const auto found = find(text); found.has_value()) {
      std::string_view expression = Trimmed(*found);
      // Within <answer> it may be boxed as well.
      if (const auto boxed = LastBoxed(expression)) expression = *boxed;
      return Trimmed(expression);
    }
  }
  return {};
}

// Empty where every number is one of `given`, each used once at most.
std::string Misused(const Evaluated& evaluated, const Prompt& prompt) {
  std::multiset<int64_t> left(prompt.numbers().begin(), prompt.numbers().end());
  for (const int64_t number : evaluated.numbers) {
    const auto found = left.find(number);
    if (found == left.end()) {
      return absl::StrCat(number, " is not given, or used up");
    }
    left.erase(found);
  }
  return "";
}

bool Reaches(const absl::StatusOr<Evaluated>& side, const Prompt& prompt) {
  return side.ok() &&
         side->value == mpq_class(static_cast<long>(prompt.target()));
}

}  // namespace

absl::Status CountdownGrader::CheckPrompt(const Prompt& prompt) const {
  if (prompt.numbers().empty()) {
    return absl::InvalidArgumentError("no numbers");
  }
  if (prompt.numbers_size() > kMaxNumbers) {
    return absl::InvalidArgumentError(
        absl::StrCat(prompt.numbers_size(), " numbers, at most ", kMaxNumbers));
  }
  for (const int64_t number : prompt.numbers()) {
    if (number < 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("numbers must not be negative, got ", number));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Grade> CountdownGrader::GradeOne(const Prompt& prompt,
                                                const Completion& completion,
                                                absl::Time /*deadline*/) const {
  const std::string_view extracted = FinalExpression(completion.text);
  if (extracted.empty()) return FormatErrorGrade("no expression");
  const size_t equals = extracted.find('=');
  const absl::StatusOr<Evaluated> left = EvaluateArithmetic(
      extracted.substr(0, equals), static_cast<size_t>(prompt.numbers_size()));
  if (!left.ok()) {
    return WrongGrade(extracted, std::string(left.status().message()));
  }
  if (const std::string misused = Misused(*left, prompt); !misused.empty()) {
    return WrongGrade(extracted, misused);
  }
  if (!Reaches(left, prompt)) {
    return WrongGrade(extracted, absl::StrCat("is ", left->value.get_str(),
                                              ", target is ", prompt.target()));
  }
  if (equals != std::string_view::npos &&
      !Reaches(EvaluateArithmetic(extracted.substr(equals + 1), 1), prompt)) {
    return WrongGrade(extracted, "the right side is not the target");
  }
  return CorrectGrade(extracted);
}

}  // namespace cohort
