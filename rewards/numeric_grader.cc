#include "rewards/numeric_grader.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "proto/status.h"
#include "re2/re2.h"
#include "rewards/maths/answer_extract.h"
#include "rewards/prompt_row.h"

namespace cohort {
namespace {

constexpr double kRelativeTolerance = 1e-9;

// 1,234.5e-6 with its sign. Matched without backtracking.
constexpr char kNumber[] =
    R"(([-+]?(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d*)?(?:[eE][-+]?\d+)?))";

struct Tolerances {
  double absolute = 0;
  double relative = kRelativeTolerance;
};

std::optional<double> PlainNumber(std::string_view text) {
  static const RE2* const kWhole = new RE2(kNumber);
  if (!RE2::FullMatch(re2::StringPiece(text.data(), text.size()), *kWhole)) {
    return std::nullopt;
  }
  const std::string digits = absl::StrReplaceAll(
      absl::string_view(text.data(), text.size()), {{",", ""}});
  double value = 0;
  if (!absl::SimpleAtod(digits, &value) || !std::isfinite(value)) {
    return std::nullopt;
  }
  return value;
}

// A number, or a fraction of two.
std::optional<double> ReadNumber(std::string_view text) {
  text = Trimmed(text);
  while (!text.empty() && (text.front() == '$' || text.front() == ' ')) {
    text.remove_prefix(1);
  }
  while (!text.empty() &&
         (text.back() == '$' || text.back() == '.' || text.back() == ' ')) {
    text.remove_suffix(1);
  }
  const size_t slash = text.find('/');
  if (slash == std::string_view::npos) return PlainNumber(text);
  const auto above = PlainNumber(Trimmed(text.substr(0, slash)));
  const auto below = PlainNumber(Trimmed(text.substr(slash + 1)));
  if (!above || !below || *below == 0) return std::nullopt;
  return *above / *below;
}

std::optional<std::string_view> FinalNumber(std::string_view text) {
  text = AfterThinking(text);
  for (const auto& find : {LastBoxed, LastAnswerTag, LastHashes, LastNumber}) {
    if (const auto found = find(text)) return found;
  }
  return std::nullopt;
}

absl::StatusOr<Tolerances> TolerancesOf(const Prompt& prompt) {
  COHORT_ASSIGN_OR_RETURN(const std::optional<double> absolute,
                          NumberField(prompt, "tolerance"));
  COHORT_ASSIGN_OR_RETURN(const std::optional<double> relative,
                          NumberField(prompt, "relative_tolerance"));
  if (absolute.value_or(0) < 0 || relative.value_or(0) < 0) {
    return absl::InvalidArgumentError("a tolerance below 0");
  }
  if (!absolute && !relative) return Tolerances();
  return Tolerances{.absolute = absolute.value_or(0),
                    .relative = relative.value_or(0)};
}

}  // namespace

absl::Status NumericGrader::CheckPrompt(const Prompt& prompt) const {
  if (prompt.answer().empty()) return absl::InvalidArgumentError("no answer");
  if (!ReadNumber(prompt.answer())) {
    return absl::InvalidArgumentError("the answer is not a number");
  }
  return TolerancesOf(prompt).status();
}

absl::StatusOr<Grade> NumericGrader::GradeOne(const Prompt& prompt,
                                              const Completion& completion,
                                              absl::Time /*deadline*/) const {
  COHORT_ASSIGN_OR_RETURN(const Tolerances tolerances, TolerancesOf(prompt));
  const std::optional<std::string_view> found = FinalNumber(completion.text);
  if (!found) return FormatErrorGrade("no number");
  const std::optional<double> value = ReadNumber(*found);
  if (!value) return WrongGrade(*found, "not a plain number");
  const double right = *ReadNumber(prompt.answer());
  const double allowed =
      std::max(tolerances.absolute, tolerances.relative * std::abs(right));
  if (std::abs(*value - right) > allowed) return WrongGrade(*found, "");
  return CorrectGrade(*found);
}

}  // namespace cohort
