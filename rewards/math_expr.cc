#include "rewards/math_expr.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "re2/re2.h"
#include "rewards/grader.h"

namespace cohort {
namespace {

// What one spelling has and another lacks, without meaning for a number.
std::string WithoutLayout(std::string_view text) {
  std::string plain =
      absl::StrReplaceAll(absl::string_view(text.data(), text.size()),
                          {{"\xE2\x88\x92", "-"},  // U+2212, the minus sign.
                           {"\\dfrac", "\\frac"},
                           {"\\tfrac", "\\frac"},
                           {"\\%", "%"},
                           {"\\$", ""},
                           {"$", ""},
                           {"\\(", ""},
                           {"\\)", ""},
                           {"\\[", ""},
                           {"\\]", ""},
                           {"\\!", ""},
                           {"\\,", ""},
                           {"{,}", ","},
                           {"\\left", ""},
                           {"\\right", ""},
                           {"\\displaystyle", ""}});
  return std::string(Trimmed(plain));
}

mpq_class FromDigits(const std::string& digits) {
  return mpq_class(mpz_class(digits.empty() ? "0" : digits, 10));
}

std::string WithoutCommas(const std::string& digits) {
  return absl::StrReplaceAll(digits, {{",", ""}});
}

constexpr char kInteger[] = R"((\d{1,3}(?:,\d{3})+|\d+))";

// whole.decimals
std::optional<mpq_class> ParseDecimal(const std::string& text) {
  static const RE2 decimal(absl::StrCat("(?:", kInteger, R"()?(?:\.(\d*))?)"),
                           RE2::Latin1);
  std::string whole;
  std::string decimals;
  if (!RE2::FullMatch(text, decimal, &whole, &decimals) ||
      (whole.empty() && decimals.empty())) {
    return std::nullopt;
  }
  mpz_class scale;
  mpz_ui_pow_ui(scale.get_mpz_t(), 10, decimals.size());
  mpq_class value(FromDigits(WithoutCommas(whole) + decimals) / scale);
  value.canonicalize();
  return value;
}

// [whole] numerator / denominator, in any of the spellings of a fraction.
std::optional<mpq_class> ParseFraction(const std::string& text) {
  static const RE2 slash(
      absl::StrCat(R"((?:(\d+)\s+)?)", kInteger, R"(\s*/\s*(-?))", kInteger),
      RE2::Latin1);
  static const RE2 latex(
      absl::StrCat(R"((?:(\d+)\s*)?\\frac\s*\{\s*(-?))", kInteger,
                   R"(\s*\}\s*\{\s*(-?))", kInteger, R"(\s*\})"),
      RE2::Latin1);
  static const RE2 short_latex(R"((?:(\d+)\s*)?\\frac\s*(\d)\s*(\d))",
                               RE2::Latin1);
  std::string whole;
  std::string sign;
  std::string below_sign;
  std::string above;
  std::string below;
  if (!RE2::FullMatch(text, slash, &whole, &above, &below_sign, &below) &&
      !RE2::FullMatch(text, latex, &whole, &sign, &above, &below_sign,
                      &below) &&
      !RE2::FullMatch(text, short_latex, &whole, &above, &below)) {
    return std::nullopt;
  }
  const mpq_class denominator = FromDigits(WithoutCommas(below));
  const bool negative = sign != below_sign;
  if (denominator == 0 || (negative && !whole.empty())) return std::nullopt;
  mpq_class part = FromDigits(WithoutCommas(above)) / denominator;
  if (negative) part = -part;
  return FromDigits(whole) + part;
}

}  // namespace

std::optional<Number> ParseNumber(std::string_view text) {
  if (text.size() > kMaxNumberBytes) return std::nullopt;
  static const RE2 parts(
      R"((?:[a-zA-Z]\s*=\s*)?([-+]?)\s*(.*?)\s*(%|percent|pct)?\.?)",
      RE2::Latin1);
  std::string sign;
  std::string body;
  std::string percent;
  if (!RE2::FullMatch(WithoutLayout(text), parts, &sign, &body, &percent)) {
    return std::nullopt;
  }
  std::optional<mpq_class> value = ParseDecimal(body);
  if (!value.has_value()) value = ParseFraction(body);
  if (!value.has_value()) return std::nullopt;
  if (sign == "-") *value = -*value;
  return Number{.value = *std::move(value), .percent = !percent.empty()};
}

bool SameNumber(const Number& a, const Number& b) {
  if (a.value == b.value) return true;
  if (a.percent == b.percent) return false;
  const Number& percent = a.percent ? a : b;
  const Number& plain = a.percent ? b : a;
  return percent.value == plain.value * 100;
}

}  // namespace cohort
