// Any two answers, a line end between them: a verdict that is the same when
// asked again; nothing that was read differs from itself.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "rewards/maths/answers.h"

namespace {

// Values that come from nowhere, and texts, are equal to themselves too.
void CheckAgainstItself(const cohort::ReadAnswer& gold, std::string_view text,
                        const cohort::MathPolicy& policy) {
  const cohort::Grade grade =
      cohort::GradePrediction(gold, text, cohort::ANSWER_FORM_BARE, policy);
  if (grade.verdict() == cohort::VERDICT_WRONG) __builtin_trap();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view all(reinterpret_cast<const char*>(data), size);
  const size_t end = all.find('\n');
  const std::string_view first = all.substr(0, end);
  const std::string_view second =
      end == std::string_view::npos ? first : all.substr(end + 1);
  static const auto names = cohort::MathPolicyNames();
  const auto policy = cohort::ParseMathPolicy(
      size % 4 == 0 ? names[size / 4 % names.size()] : "core");
  if (!policy.ok()) __builtin_trap();
  const auto gold = cohort::ReadGold(first, cohort::ANSWER_FORM_BARE, *policy);
  if (!gold.ok()) return 0;
  for (const auto form :
       {cohort::ANSWER_FORM_BARE, cohort::ANSWER_FORM_COMPLETION}) {
    const auto grade = cohort::GradePrediction(*gold, second, form, *policy);
    const auto again = cohort::GradePrediction(*gold, second, form, *policy);
    if (grade.verdict() != again.verdict()) __builtin_trap();
    if ((grade.verdict() == cohort::VERDICT_CORRECT) != (grade.score() == 1)) {
      __builtin_trap();
    }
  }
  if (first.find("box") == std::string_view::npos) {
    CheckAgainstItself(*gold, first, *policy);
  }
  return 0;
}
