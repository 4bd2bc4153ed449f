#include "rewards/maths/choice_extract.h"

#include <optional>

#include "absl/strings/ascii.h"
#include "re2/re2.h"
#include "rewards/grader.h"
#include "rewards/maths/answer_spans.h"

namespace cohort {
namespace {

constexpr std::string_view kChoices = "ABCDEFGHIJ";
constexpr size_t kMaxText = 65536;

bool IsWordByte(char c) { return absl::ascii_isalnum(c) || (c & 0x80) != 0; }

// Whether a capital letter stands alone at `at` and is no article.
bool StandsAlone(std::string_view text, size_t at) {
  if (at > 0 && (IsWordByte(text[at - 1]) || text[at - 1] == '\'' ||
                 text[at - 1] == '\\')) {
    return false;
  }
  const std::string_view rest = text.substr(at + 1);
  if (!rest.empty() && (IsWordByte(rest[0]) || rest[0] == '\'')) return false;
  // "A square" begins a sentence.
  if (text[at] == 'A' && rest.size() > 1 && rest[0] == ' ' &&
      absl::ascii_islower(rest[1]) && !rest.starts_with(" is ") &&
      !rest.starts_with(" because") && !rest.starts_with(" or ") &&
      !rest.starts_with(" and ")) {
    return false;
  }
  return true;
}

bool IsRuledOut(std::string_view before) {
  static const RE2 ruled_out(
      R"((?i)(?:\bnot|n't|\bnor|\bneither|ruled? out|eliminat\w*|exclud\w*|instead of|rather than)(?:\s+be)?(?:\s+(?:option|choice|answer))?\s*\(?$)",
      RE2::Latin1);
  const size_t size = std::min<size_t>(before.size(), 40);
  return RE2::PartialMatch(before.substr(before.size() - size), ruled_out);
}

// "A or B", "A, B", "A/B" behind the letter at `at`.
bool IsHedged(std::string_view rest) {
  static const RE2 another(
      R"(^[)}*\s]*(?:,|/|&|or|and|\|)\s*(?:or|and)?[\s($*]*(?:\\text\w*\{)?\(?[A-J]\b)",
      RE2::Latin1);
  return RE2::PartialMatch(rest.substr(0, 60), another);
}

// What FirstLetter gives for "A or B".
constexpr char kHedged = '?';

// "A or " in front of a letter.
bool FollowsAnother(std::string_view before) {
  static const RE2 another(
      R"((?:^|[^A-Za-z])[A-J]\)?\s*(?:,|/|&|or|and)\s*(?:or|and)?\s*\(?$)",
      RE2::Latin1);
  const size_t size = std::min<size_t>(before.size(), 20);
  return RE2::PartialMatch(before.substr(before.size() - size), another);
}

// The first letter that stands alone and is not ruled out.
char FirstLetter(std::string_view text, std::string_view choices) {
  for (size_t i = 0; i < text.size(); ++i) {
    if (choices.find(text[i]) == std::string_view::npos) continue;
    if (!StandsAlone(text, i) || IsRuledOut(text.substr(0, i))) continue;
    if (FollowsAnother(text.substr(0, i))) return kHedged;
    return IsHedged(text.substr(i + 1)) ? kHedged : text[i];
  }
  return '\0';
}

}  // namespace

char GoldLetter(std::string_view gold) {
  static const RE2 letter(
      R"(\s*\$?\s*(?:\\(?:text|textbf|mathrm|mathbf|textrm)\s*\{)?\s*\(?\s*([A-J])\s*\)?\s*\}?\s*\$?\s*[.:]?\s*)",
      RE2::Latin1);
  std::string found;
  return RE2::FullMatch(gold, letter, &found) ? found[0] : '\0';
}

char LetterOfAnswer(std::string_view answer) {
  answer = Trimmed(answer);
  static const RE2 named(
      R"((?i)((?:\\(?:text|textbf|mathrm|mbox)\s*\{)?\s*)(?:option|choice|answer)\s*:?\s+(\(?[A-J]\b.*))",
      RE2::Latin1);
  std::string opening;
  std::string unnamed;
  if (RE2::FullMatch(answer, named, &opening, &unnamed)) {
    unnamed = opening + unnamed;
    answer = unnamed;
  }
  static const RE2 alone(
      R"((?:\\(?:text|textbf|mathrm|mathbf|textrm|mbox)\s*\{)?[\s$*]*\(?\s*([A-Ja-j])\s*\)?[\s$*]*\}?[\s$*]*[.:]?)",
      RE2::Latin1);
  static const RE2 marked(
      R"((?:\\(?:text|textbf|mathrm|mathbf|textrm|mbox)\s*\{)?[\s$*]*(?:\(\s*([A-J])\s*\)|([A-J])\s*[).:])[\s$*]*\}?(.*))",
      RE2::Options(RE2::Latin1));
  std::string bare;
  if (RE2::FullMatch(answer, alone, &bare)) {
    return absl::ascii_toupper(bare[0]);
  }
  std::string round;
  std::string dotted;
  std::string rest;
  const std::string line(answer.substr(0, answer.find('\n')));
  if (!RE2::FullMatch(line, marked, &round, &dotted, &rest)) return '\0';
  static const RE2 another(
      R"(\(\s*[A-J]\s*\)|\b[B-J][).:]|^\s*(?:,|/|&|or\b|and\b|\\text\{\s*(?:or|and)))",
      RE2::Latin1);
  if (RE2::PartialMatch(rest, another)) return '\0';
  return round.empty() ? dotted[0] : round[0];
}

char LetterOfText(std::string_view text, std::string_view choices) {
  if (choices.empty()) choices = kChoices;
  if (text.size() > kMaxText) text.remove_prefix(text.size() - kMaxText);
  auto phrase = LastAnchored(text);
  if (!phrase.has_value()) phrase = LastForeignAnchored(text);
  if (phrase.has_value()) {
    const std::string_view line = phrase->substr(0, phrase->find('\n'));
    const char letter = FirstLetter(line, choices);
    if (letter != '\0') return letter == kHedged ? '\0' : letter;
  }
  for (size_t i = text.size(); i-- > 0;) {
    if (choices.find(text[i]) == std::string_view::npos) continue;
    if (!StandsAlone(text, i) || IsRuledOut(text.substr(0, i))) continue;
    return IsHedged(text.substr(i + 1)) || FollowsAnother(text.substr(0, i))
               ? '\0'
               : text[i];
  }
  return '\0';
}

}  // namespace cohort
