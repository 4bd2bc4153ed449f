#include "rewards/answer_extract.h"

#include <algorithm>
#include <vector>

#include "re2/re2.h"

namespace cohort {
namespace {

constexpr size_t kNone = std::string_view::npos;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

bool IsLetter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// Whether `before`, which ends where a brace opens, ends in \boxed or \fbox.
bool EndsInBoxCommand(std::string_view before) {
  while (before.ends_with(' ')) before.remove_suffix(1);
  return before.ends_with("\\boxed") || before.ends_with("\\fbox");
}

std::string_view Between(std::string_view text, size_t begin, size_t end) {
  return text.substr(begin, end - begin);
}

// The last \frac{..}{..} of whole numbers, with its sign, and where it ends.
std::optional<std::string_view> LastFraction(std::string_view text) {
  static const RE2 fraction(
      R"(\\[dt]?frac\s*\{\s*[-+]?\d+\s*\}\s*\{\s*[-+]?\d+\s*\})", RE2::Latin1);
  const size_t begin =
      std::max({text.rfind("\\frac") + 1, text.rfind("\\dfrac") + 1,
                text.rfind("\\tfrac") + 1});  // kNone + 1 is 0.
  if (begin == 0) return std::nullopt;
  std::string_view rest = text.substr(begin - 1);
  const size_t before = rest.size();
  re2::StringPiece unread = rest;
  if (!RE2::Consume(&unread, fraction)) return std::nullopt;
  rest = rest.substr(0, before - unread.size());
  const bool negative = begin >= 2 && text[begin - 2] == '-';
  return negative ? text.substr(begin - 2, rest.size() + 1) : rest;
}

// How many bytes at the end of `before` are the sign of a number that follows.
// In "7-5" the line is an operation, not a sign.
size_t SignBytes(std::string_view before) {
  for (const std::string_view sign : {"-", "\xE2\x88\x92"}) {  // U+2212.
    if (!before.ends_with(sign)) continue;
    before.remove_suffix(sign.size());
    const char last = before.empty() ? ' ' : before.back();
    return IsDigit(last) || IsLetter(last) || last == ')' ? 0 : sign.size();
  }
  return 0;
}

// Widens the digits at [begin, end) by a sign, $ and % around them.
std::string_view WithSigns(std::string_view text, size_t begin, size_t end) {
  begin -= SignBytes(text.substr(0, begin));
  if (text.substr(0, begin).ends_with('$')) {
    --begin;
    if (text.substr(0, begin).ends_with('\\')) --begin;
    begin -= SignBytes(text.substr(0, begin));
  }
  if (text.substr(end).starts_with('%')) end += 1;
  if (text.substr(end).starts_with("\\%")) end += 2;
  return Between(text, begin, end);
}

}  // namespace

std::string_view AfterThinking(std::string_view text) {
  constexpr std::string_view kClose = "</think>";
  const size_t close = text.rfind(kClose);
  return close == kNone ? text : text.substr(close + kClose.size());
}

std::optional<std::string_view> LastBoxed(std::string_view text) {
  struct Open {
    size_t content;
    bool boxed;
  };
  std::vector<Open> open;
  std::optional<std::string_view> last;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size() &&
        (text[i + 1] == '{' || text[i + 1] == '}' || text[i + 1] == '\\')) {
      ++i;
    } else if (text[i] == '{') {
      open.push_back({i + 1, EndsInBoxCommand(text.substr(0, i))});
    } else if (text[i] == '}' && !open.empty()) {
      const Open closed = open.back();
      open.pop_back();
      const char* const begin = text.data() + closed.content;
      if (closed.boxed && (!last.has_value() || begin > last->data())) {
        last = Between(text, closed.content, i);
      }
    }
  }
  return last;
}

std::optional<std::string_view> LastAnswerTag(std::string_view text) {
  constexpr std::string_view kOpen = "<answer>";
  const size_t close = text.rfind("</answer>");
  if (close == kNone) return std::nullopt;
  const size_t open = text.substr(0, close).rfind(kOpen);
  if (open == kNone) return std::nullopt;
  return Between(text, open + kOpen.size(), close);
}

std::optional<std::string_view> LastBraces(std::string_view text) {
  for (size_t close = text.rfind('}'); close != kNone && close > 0;
       close = text.rfind('}', close - 1)) {
    const size_t brace = text.find_last_of("{}", close - 1);
    if (brace == kNone) return std::nullopt;
    if (text[brace] == '{') return Between(text, brace + 1, close);
  }
  return std::nullopt;
}

std::optional<std::string_view> LastHashes(std::string_view text) {
  const size_t hashes = text.rfind("####");
  if (hashes == kNone) return std::nullopt;
  const std::string_view rest = text.substr(hashes + 4);
  return rest.substr(0, rest.find('\n'));
}

std::optional<std::string_view> LastNumber(std::string_view text) {
  const size_t last_digit = text.find_last_of("0123456789");
  if (last_digit == kNone) return std::nullopt;
  const std::optional<std::string_view> fraction = LastFraction(text);
  if (fraction.has_value() &&
      fraction->data() + fraction->size() > text.data() + last_digit) {
    return fraction;
  }
  size_t begin = last_digit;
  while (begin > 0 && (IsDigit(text[begin - 1]) || text[begin - 1] == ',' ||
                       text[begin - 1] == '.' || text[begin - 1] == '/')) {
    --begin;
  }
  // ", 5" begins at the digit, ".5" at its point.
  while (!IsDigit(text[begin]) &&
         !(text[begin] == '.' && IsDigit(text[begin + 1]))) {
    ++begin;
  }
  return WithSigns(text, begin, last_digit + 1);
}

}  // namespace cohort
