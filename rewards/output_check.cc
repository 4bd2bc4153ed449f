#include "rewards/output_check.h"

#include <cmath>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace cohort {
namespace {

absl::string_view View(std::string_view text) {
  return {text.data(), text.size()};
}

std::string Shown(absl::string_view text) {
  constexpr size_t kMost = 60;
  return absl::StrCat("'", absl::Utf8SafeCEscape(text.substr(0, kMost)),
                      text.size() > kMost ? "...'" : "'");
}

std::vector<absl::string_view> Lines(std::string_view text) {
  std::vector<absl::string_view> lines = absl::StrSplit(View(text), '\n');
  for (absl::string_view& line : lines) {
    line = line.substr(0, line.find_last_not_of(" \t\r\v\f") + 1);
  }
  while (!lines.empty() && lines.back().empty()) lines.pop_back();
  return lines;
}

std::vector<absl::string_view> Words(std::string_view text) {
  return absl::StrSplit(View(text), absl::ByAnyChar(" \t\r\n\v\f"),
                        absl::SkipEmpty());
}

bool SameNumber(absl::string_view got, absl::string_view expected,
                const FloatTolerance& tolerance) {
  double x = 0;
  double y = 0;
  // The judge's own output decides whether a number is wanted.
  return absl::SimpleAtod(expected, &y) && absl::SimpleAtod(got, &x) &&
         CloseEnough(x, y, tolerance);
}

template <typename Same>
std::string ListFlaw(const std::vector<absl::string_view>& got,
                     const std::vector<absl::string_view>& expected,
                     const char* what, Same same) {
  for (size_t i = 0; i < got.size() && i < expected.size(); ++i) {
    if (!same(got[i], expected[i])) {
      return absl::StrCat(what, " ", i + 1, " is ", Shown(got[i]));
    }
  }
  if (got.size() == expected.size()) return "";
  return absl::StrCat(got.size(), " ", what, "s, not ", expected.size());
}

}  // namespace

absl::StatusOr<Checker> ParseChecker(const std::string& text) {
  Checker checker;
  if (text.empty() || text == "lines") return checker;
  if (text == "exact") {
    checker.kind = Checker::Kind::kExact;
    return checker;
  }
  if (text == "tokens") {
    checker.kind = Checker::Kind::kTokens;
    return checker;
  }
  const std::vector<std::string> words =
      absl::StrSplit(text, absl::MaxSplits(':', 1));
  double tolerance = 0;
  if (words.size() == 2 && words[0] == "float" &&
      absl::SimpleAtod(words[1], &tolerance) && tolerance >= 0 &&
      std::isfinite(tolerance)) {
    checker.kind = Checker::Kind::kFloats;
    checker.tolerance = {.absolute = tolerance, .relative = tolerance};
    return checker;
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "no checker '", text, "'; known: lines, exact, tokens, float:TOLERANCE"));
}

std::string OutputFlaw(std::string_view output, std::string_view expected,
                       const Checker& checker) {
  const auto equal = [](absl::string_view a, absl::string_view b) {
    return a == b;
  };
  switch (checker.kind) {
    case Checker::Kind::kExact:
      return output == expected ? "" : "not the same bytes";
    case Checker::Kind::kTokens:
      return ListFlaw(Words(output), Words(expected), "word", equal);
    case Checker::Kind::kFloats:
      return ListFlaw(Words(output), Words(expected), "word",
                      [&](absl::string_view a, absl::string_view b) {
                        return a == b || SameNumber(a, b, checker.tolerance);
                      });
    default:
      return ListFlaw(Lines(output), Lines(expected), "line", equal);
  }
}

}  // namespace cohort
