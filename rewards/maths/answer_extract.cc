#include "rewards/maths/answer_extract.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "re2/re2.h"
#include "rewards/grader.h"
#include "rewards/maths/answer_spans.h"

namespace cohort {
namespace {

// What stands before these bytes at the end of a completion is not looked at.
constexpr size_t kMaxBytes = size_t{2} << 20;
constexpr size_t kTailBytes = 65536;
constexpr size_t kNone = std::string_view::npos;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

bool IsLetter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
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

// The content of the last pair of brackets without any of its kind inside:
// "[ 90 ]". `pair`: the opening and the closing one.
std::optional<std::string_view> LastInnermost(std::string_view text,
                                              std::string_view pair) {
  for (size_t close = text.rfind(pair[1]); close != kNone && close > 0;
       close = text.rfind(pair[1], close - 1)) {
    const size_t open = text.find_last_of(pair, close - 1);
    if (open == kNone) return std::nullopt;
    if (text[open] == pair[0]) return Between(text, open + 1, close);
  }
  return std::nullopt;
}

}  // namespace

std::string_view AfterThinking(std::string_view text) {
  constexpr std::string_view kClose = "</think>";
  const size_t close = text.rfind(kClose);
  return close == kNone ? text : text.substr(close + kClose.size());
}

std::string_view BeforeEndToken(std::string_view text) {
  static constexpr std::string_view kTokens[] = {
      "<|im_end|>",      "<|eot_id|>", "<|endoftext|>",
      "<|end_of_text|>", "<|end|>",    "<｜end▁of▁sentence｜>"};
  for (const std::string_view opener : {"<|", "<｜"}) {
    for (size_t at = text.find(opener); at != kNone;
         at = text.find(opener, at + opener.size())) {
      for (const std::string_view token : kTokens) {
        if (text.substr(at).starts_with(token) &&
            !Trimmed(text.substr(0, at)).empty()) {
          text = text.substr(0, at);
          break;
        }
      }
    }
  }
  return text;
}

std::optional<std::string_view> LastBoxed(std::string_view text) {
  bool open = false;
  const std::vector<Box> boxes = LastBoxes(text, 1, &open);
  if (boxes.empty()) return std::nullopt;
  return boxes.back().content;
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
  return LastInnermost(text, "{}");
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

namespace {

// A phrase up to where its sentence or line ends.
std::string_view FirstSentence(std::string_view phrase) {
  for (size_t i = 0; i < phrase.size(); ++i) {
    if (phrase[i] == '\n') return phrase.substr(0, i);
    const bool stop = phrase[i] == '.' || phrase[i] == '!' || phrase[i] == '?';
    if (stop && (i + 1 == phrase.size() || phrase[i + 1] == ' ' ||
                 phrase[i + 1] == '\n' || phrase[i + 1] == '*')) {
      // "!!!" is no end, nor is the stop of "p.m.".
      if (phrase[i] == '.' && i > 1 && phrase[i - 2] == '.') continue;
      return phrase.substr(0, i);
    }
  }
  return phrase;
}

std::string WithoutMarks(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text.substr(i).starts_with("**") || text.substr(i).starts_with("__")) {
      ++i;
    } else {
      out += text[i];
    }
  }
  return out;
}

// The answer in what stands behind "the answer is".
ExtractedAnswer FromPhrase(std::string_view phrase) {
  ExtractedAnswer found;
  // "\textbf{Answer: } 42" leaves the end of its own brace.
  phrase.remove_prefix(std::min(phrase.find_first_not_of("} "), phrase.size()));
  found.by = FoundBy::kAnchor;
  const std::vector<Formula> formulas = Formulas(phrase, 64);
  const std::string_view sentence = FirstSentence(phrase);
  if (!formulas.empty() &&
      (formulas[0].begin < sentence.size() || sentence.empty())) {
    const size_t count = JoinedRun(phrase, formulas, 0);
    found.candidates.push_back(JoinedFormulas(phrase, formulas, 0, count));
    return found;
  }
  const std::string plain = WithoutMarks(sentence);
  found.candidates.push_back(std::string(Trimmed(plain)));
  // "42, since 6*7 = 42"; "42 (in total)"
  static const RE2 reason(
      R"((?i)^(.*?)(?:\s*,\s*(?:since|because|as|which|so|where|for|but)\b|\s+(?:since|because|which|as)\b|\s+\().*)",
      RE2::Latin1);
  std::string head;
  if (RE2::PartialMatch(plain, reason, &head) && !Trimmed(head).empty()) {
    found.candidates.push_back(std::string(Trimmed(head)));
  }
  return found;
}

ExtractedAnswer Single(FoundBy by, std::string_view content) {
  ExtractedAnswer found;
  found.by = by;
  found.candidates.push_back(std::string(Trimmed(content)));
  return found;
}

// The answer in an unmarked text: the last formula or the last number,
// whichever stands last.
ExtractedAnswer Unmarked(std::string_view text, const MathPolicy& policy) {
  if (policy.last_formula) {
    const std::vector<Formula> formulas = Formulas(text, 64);
    const auto number = policy.latex_only ? std::nullopt : LastNumber(text);
    const bool number_behind =
        policy.last_number && !formulas.empty() && number.has_value() &&
        number->data() >= text.data() + formulas.back().end;
    if (!formulas.empty() && !number_behind) {
      size_t first = formulas.size() - 1;
      while (first > 0 && JoinedRun(text, formulas, first - 1) > 1) --first;
      return Single(FoundBy::kFormula, JoinedFormulas(text, formulas, first,
                                                      formulas.size() - first));
    }
  }
  if (policy.last_number && !policy.latex_only) {
    if (const auto number = LastNumber(text)) {
      return Single(FoundBy::kNumber, *number);
    }
  }
  return {};
}

}  // namespace

ExtractedAnswer ExtractAnswer(std::string_view completion,
                              const MathPolicy& policy) {
  completion = completion.substr(completion.size() -
                                 std::min(completion.size(), kMaxBytes));
  const bool thought = completion.find("</think>") != kNone;
  if (!thought &&
      (policy.require_think || completion.find("<think>") != kNone)) {
    return {};
  }
  const std::string_view text = BeforeEndToken(AfterThinking(completion));
  bool open = false;
  size_t end = 0;
  const std::vector<std::string_view> boxes =
      JoinedBoxes(text, policy.join_boxes, &open, &end);
  if (!boxes.empty()) {
    if (policy.strict_tail && end < text.size() &&
        (IsLetter(text[end]) || IsDigit(text[end]))) {
      return {};
    }
    std::string joined;
    for (const std::string_view box : boxes) {
      absl::StrAppend(&joined, joined.empty() ? "" : ", ",
                      std::string(Trimmed(box)));
    }
    return Single(FoundBy::kBox, joined);
  }
  // A box that the length limit cut off: the answer is not all there.
  if (policy.require_box || open) return {};
  if (const auto tag = LastAnswerTag(text)) {
    return Single(FoundBy::kTag, *tag);
  }
  if (const auto hashes = LastHashes(text)) {
    return Single(FoundBy::kHashes, *hashes);
  }
  // What is not marked as the answer stands near the end.
  const std::string_view tail =
      text.substr(text.size() - std::min(text.size(), kTailBytes));
  if (policy.bracket_answers) {
    if (const auto brackets = LastInnermost(tail, "[]")) {
      return Single(FoundBy::kBrackets, *brackets);
    }
  }
  if (const auto phrase = LastAnchored(tail)) return FromPhrase(*phrase);
  if (const auto phrase = LastForeignAnchored(tail)) {
    ExtractedAnswer found = FromPhrase(*phrase);
    static const RE2 number(R"(([-+]?\d[\d,.]*))", RE2::Latin1);
    std::string first;
    if (RE2::PartialMatch(std::string(FirstSentence(*phrase)), number,
                          &first)) {
      found.candidates.push_back(first);
    }
    return found;
  }
  return Unmarked(tail, policy);
}

}  // namespace cohort
