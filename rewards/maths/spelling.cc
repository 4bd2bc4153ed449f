#include "rewards/maths/spelling.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "re2/re2.h"
#include "rewards/maths/words.h"

namespace cohort {
namespace {

bool Has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

// JSON and escaped sources double backslashes: "\\frac" is "\frac" there.
void SingleBackslashes(std::string* text) {
  static const RE2 doubled(
      R"((^|[^\\])\\\\(frac|dfrac|tfrac|left|right|sqrt|pi|text|textbf|boxed|begin|end|cdot|times|infty|cup|cap|pm|le|ge|leq|geq|le|in|theta|alpha|circ|mathrm|quad|binom|ln|log|sin|cos|tan)\b)",
      RE2::Latin1);
  if (Has(*text, "\\\\")) RE2::GlobalReplace(text, doubled, R"(\1\\\2)");
}

// Commands that change the looks alone, with their argument.
void DropLooks(std::string* text) {
  static const RE2 colour(
      R"(\\(?:text)?color\s*(?:\[[a-zA-Z]*\])?\{[a-zA-Z0-9!,. ]*\})",
      RE2::Latin1);
  static const RE2 space(
      R"(\\(?:[hv]space\*?|kern|[hv]?phantom)\s*\{[^{}\\]*\})", RE2::Latin1);
  if (Has(*text, "color")) RE2::GlobalReplace(text, colour, "");
  if (Has(*text, "space") || Has(*text, "phantom")) {
    RE2::GlobalReplace(text, space, " ");
  }
}

void SpellSigns(std::string* text) {
  static const RE2 either(R"(\+\s?/\s?-)", RE2::Latin1);
  static const RE2 times(R"((\d)\s*[xX]\s*(10\s*\^))", RE2::Latin1);
  static const RE2 blackboard(R"(\\([RZNQC])([^a-zA-Z]|$))", RE2::Latin1);
  static const RE2 round_modulus(
      R"(\(\s*(?:\\text\s*\{\s*mod\s*\}|\\b?mod|\\operatorname\{mod\}|mod)\b\s*([^()]*)\))",
      RE2::Latin1);
  static const RE2 text_modulus(R"(\\text\s*\{\s*\(mod\s*(\d+)\)\s*\})",
                                RE2::Latin1);
  static const RE2 bare_modulus(R"(\\b?mod\b)", RE2::Latin1);
  if (Has(*text, "/")) RE2::GlobalReplace(text, either, R"(\\pm )");
  if (Has(*text, "10")) RE2::GlobalReplace(text, times, R"(\1\\times \2)");
  RE2::GlobalReplace(text, blackboard, R"(\\mathbb{\1}\2)");
  if (!Has(*text, "mod")) return;
  RE2::GlobalReplace(text, round_modulus, R"(\\pmod{\1})");
  RE2::GlobalReplace(text, text_modulus, R"(\\pmod{\1})");
  if (Has(*text, "\\equiv")) {
    RE2::GlobalReplace(text, bare_modulus, R"(\\pmod )");
  }
}

// An answer that is one \text{..} with a number in it, or stands behind one
// that leads to it, and "p.m." as "pm".
void OutOfText(std::string* text) {
  static const RE2 whole(
      R"(\s*\\(?:text|mbox|textbf|mathrm|textrm)\s*\{([^{}\\]*\d[^{}\\]*)\}\s*)",
      RE2::Latin1);
  static const RE2 leading(
      R"(\s*\\(?:text|mbox|textbf|mathrm|textrm)\s*\{([^{}\\=:,\d]*(?:\bis|\bare|:|=))\s*\}\s*(\S[\s\S]*))",
      RE2::Latin1);
  static const RE2 denial(
      R"((?i)\b(?:not|no|never|neither|either|or|than|at least|at most|under|over|above|below|between|about|nearly|almost|wrong|incorrect)\b|n't)",
      RE2::Latin1);
  static const RE2 clock(R"(\b([aApP])\.\s?[mM]\.?)", RE2::Latin1);
  std::string inner;
  std::string words;
  if (Has(*text, "{")) {
    if (RE2::FullMatch(*text, whole, &inner)) {
      *text = inner;
    } else if (RE2::FullMatch(*text, leading, &words, &inner) &&
               !RE2::PartialMatch(words, denial)) {
      *text = inner;
    }
  }
  if (Has(*text, ".")) RE2::GlobalReplace(text, clock, R"(\1m)");
}

// i, j and k in bold or with a hat are no imaginary units.
void SpellUnitVectors(std::string* text) {
  static const RE2 bold(R"(\\(?:mathbf|boldsymbol|bm|pmb)\s*\{\s*([ijk])\s*\})",
                        RE2::Latin1);
  static const RE2 hat(
      R"(\\(?:hat|vec|widehat|overrightarrow)\s*\{\s*\\?(?:uvec)?([ijk])(?:math)?\s*\})",
      RE2::Latin1);
  static const RE2 bare_hat(R"(\\(?:hat|vec)\s+\\?([ijk])(?:math)?\b)",
                            RE2::Latin1);
  if (Has(*text, "\\b") || Has(*text, "\\mathbf") || Has(*text, "\\pmb")) {
    RE2::GlobalReplace(text, bold, R"(\\uvec\1 )");
  }
  if (!Has(*text, "hat") && !Has(*text, "vec") && !Has(*text, "arrow")) return;
  RE2::GlobalReplace(text, hat, R"(\\uvec\1 )");
  RE2::GlobalReplace(text, bare_hat, R"(\\uvec\1 )");
}

int NumberNamed(std::string_view word) {
  static constexpr std::string_view kNames[] = {
      "two",    "three",    "four",     "five",    "six",
      "seven",  "eight",    "nine",     "ten",     "eleven",
      "twelve", "thirteen", "fourteen", "fifteen", "sixteen"};
  const auto* const found =
      std::find(std::begin(kNames), std::end(kNames), word);
  return found == std::end(kNames) ? 0 : static_cast<int>(found - kNames) + 2;
}

}  // namespace

std::string UsualSpelling(std::string text) {
  SingleBackslashes(&text);
  DropLooks(&text);
  SpellSigns(&text);
  SpellUnitVectors(&text);
  OutOfText(&text);
  return text;
}

std::string BinomialSpelling(const std::string& text) {
  static const RE2 ncr(
      R"(^\s*(?:\{\s*\})?\s*_\{?(\d+)\}?\s*(?:C|\\mathrm\{C\}|\\text\{C\})\s*_\{?(\d+)\}?\s*$)",
      RE2::Latin1);
  std::string n;
  std::string k;
  if (!RE2::FullMatch(text, ncr, &n, &k)) return text;
  return absl::StrCat("\\binom{", n, "}{", k, "}");
}

bool SplitBase(std::string_view words, std::string* digits, int* base) {
  static const RE2 based(
      R"(\(?([0-9a-z]+)\)?\s?(?:_\s?\(?(\d\d?|[a-z]+)\)?|,? ?\(?(?:in )?base[ -](\d\d?|[a-z]+)\)?))",
      RE2::Latin1);
  std::string below;
  std::string behind;
  if (words.size() > 200 ||
      !RE2::FullMatch(words, based, digits, &below, &behind)) {
    return false;
  }
  const std::string& name = below.empty() ? behind : below;
  if (!absl::SimpleAtoi(name, base)) *base = NumberNamed(name);
  if (*base < 2 || *base > 36) return false;
  bool letters_only = true;
  for (const char c : *digits) {
    const bool digit = absl::ascii_isdigit(static_cast<unsigned char>(c));
    letters_only = letters_only && !digit;
    if ((digit ? c - '0' : c - 'a' + 10) >= *base) return false;
  }
  // "x_2" is a name.
  return !letters_only || (digits->size() > 1 && *base == 16);
}

std::string JoinedByCommas(const std::string& words) {
  static const RE2 joiner(R"((?:\s*,\s*and\s+|\s*,\s*|\s+and\s+))",
                          RE2::Latin1);
  std::string joined = words;
  RE2::GlobalReplace(&joined, joiner, ",");
  return joined;
}

std::string PlainPhrase(const std::string& words) {
  static const RE2 hour(R"(\b(\d\d?):00\s?([ap]m)\b)", RE2::Latin1);
  static const RE2 clock(R"(\b(\d\d?)([ap]m)\b)", RE2::Latin1);
  std::string plain = words;
  if (Has(plain, "m")) {
    RE2::GlobalReplace(&plain, hour, R"(\1 \2)");
    RE2::GlobalReplace(&plain, clock, R"(\1 \2)");
  }
  if (plain.starts_with("no ") && plain.ends_with("s")) plain.pop_back();
  return plain;
}

bool BeginsWithWords(std::string_view text) {
  static const RE2 word(R"(([A-Za-z]{2,})\s+[-+$\\\d(])", RE2::Latin1);
  std::string first;
  re2::StringPiece unread(text.data(), text.size());
  return RE2::Consume(&unread, word, &first) && !IsKnownWord(first);
}

}  // namespace cohort
