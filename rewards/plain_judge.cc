#include "rewards/plain_judge.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string>

namespace cohort {
namespace {

constexpr size_t kMaxAnswerBytes = 256;

// The inside of the brace that opens at `open`; empty if it does not close.
std::optional<std::string_view> Braced(std::string_view text, size_t open) {
  int depth = 0;
  const size_t end = std::min(text.size(), open + kMaxAnswerBytes);
  for (size_t i = open; i < end; ++i) {
    if (text[i] == '{') ++depth;
    if (text[i] == '}' && --depth == 0) {
      return text.substr(open + 1, i - open - 1);
    }
  }
  return std::nullopt;
}

std::optional<std::string_view> Marked(std::string_view text) {
  constexpr std::string_view kBox = "\\boxed{";
  if (const size_t box = text.rfind(kBox); box != std::string_view::npos) {
    return Braced(text, box + kBox.size() - 1);
  }
  constexpr std::string_view kHashes = "####";
  const size_t hashes = text.rfind(kHashes);
  if (hashes == std::string_view::npos) return std::nullopt;
  text.remove_prefix(hashes + kHashes.size());
  return text.substr(0, std::min(text.find('\n'), kMaxAnswerBytes));
}

std::string Bare(std::string_view text) {
  std::string bare;
  for (const char c : text.substr(0, kMaxAnswerBytes)) {
    if (c != '$' && c != ' ' && c != '\t' && c != '\n' && c != '\r') bare += c;
  }
  return bare;
}

std::optional<double> Decimal(const std::string& text) {
  if (text.empty() ||
      text.find_first_not_of("0123456789.-") != std::string::npos) {
    return std::nullopt;
  }
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (*end != '\0') return std::nullopt;
  return value;
}

// "7", "-0.5", "3/4", "\frac{3}{4}".
std::optional<double> Number(const std::string& text) {
  constexpr std::string_view kFraction = "\\frac{";
  const size_t middle = text.starts_with(kFraction) ? text.find("}{") : 0;
  std::string above;
  std::string below;
  if (middle != 0 && middle != std::string::npos && text.back() == '}') {
    above = text.substr(kFraction.size(), middle - kFraction.size());
    below = text.substr(middle + 2, text.size() - middle - 3);
  } else if (const size_t slash = text.find('/'); slash != std::string::npos) {
    above = text.substr(0, slash);
    below = text.substr(slash + 1);
  } else {
    return Decimal(text);
  }
  const std::optional<double> numerator = Decimal(above);
  const std::optional<double> denominator = Decimal(below);
  if (!numerator || !denominator || *denominator == 0) return std::nullopt;
  return *numerator / *denominator;
}

}  // namespace

std::optional<bool> JudgePlainly(std::string_view gold,
                                 std::string_view completion) {
  const std::optional<std::string_view> marked = Marked(completion);
  if (!marked.has_value()) return std::nullopt;
  const std::string right = Bare(gold);
  const std::string given = Bare(*marked);
  if (right == given) return true;
  const std::optional<double> a = Number(right);
  const std::optional<double> b = Number(given);
  if (!a || !b) return std::nullopt;
  return std::abs(*a - *b) <= 1e-9 * std::max(1.0, std::abs(*a));
}

}  // namespace cohort
