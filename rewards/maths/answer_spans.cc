#include "rewards/maths/answer_spans.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "re2/re2.h"
#include "rewards/grader.h"

namespace cohort {
namespace {

constexpr size_t kNone = std::string_view::npos;
constexpr size_t kMaxGap = 240;
constexpr size_t kMaxAnchors = 2000;
constexpr size_t kMaxOpen = 65536;
constexpr size_t kMaxPhrase = 2000;

std::string_view Between(std::string_view text, size_t begin, size_t end) {
  return text.substr(begin, end - begin);
}

// Bytes of "\boxed" or "\fbox", with spaces, at the end of `before`; else 0.
size_t BoxCommandBytes(std::string_view before) {
  const size_t size = before.size();
  while (before.ends_with(' ')) before.remove_suffix(1);
  for (const std::string_view command : {"\\boxed", "\\fbox", "\\framebox"}) {
    if (before.ends_with(command)) return size - before.size() + command.size();
  }
  return 0;
}

// The boxes that begin last, in order.
void KeepLast(size_t most, std::vector<Box>* boxes) {
  std::sort(boxes->begin(), boxes->end(),
            [](const Box& a, const Box& b) { return a.begin < b.begin; });
  if (boxes->size() > most) boxes->erase(boxes->begin(), boxes->end() - most);
}

// Whether the line of `at` is a comment of TeX.
bool InComment(std::string_view text, size_t at) {
  const size_t line = text.substr(0, at).rfind('\n');
  const size_t begin = line == kNone ? 0 : line + 1;
  return begin < at && at - begin < 200 &&
         Trimmed(Between(text, begin, at)).starts_with('%');
}

// The words of a gap between boxes that are not names of commands.
std::vector<std::string> WordsOf(std::string_view gap) {
  std::vector<std::string> words;
  for (size_t i = 0; i < gap.size();) {
    if (gap[i] == '\\') {
      ++i;
      while (i < gap.size() && absl::ascii_isalpha(gap[i])) ++i;
      continue;
    }
    const size_t begin = i;
    while (i < gap.size() && absl::ascii_isalpha(gap[i])) ++i;
    if (i - begin > 1) {
      words.push_back(absl::AsciiStrToLower(
          absl::string_view(gap.data() + begin, i - begin)));
    }
    if (i == begin) ++i;
  }
  return words;
}

bool EndsSentence(std::string_view gap) {
  for (size_t i = 0; i < gap.size(); ++i) {
    if (gap[i] != '.' && gap[i] != '?') continue;
    if (i + 1 == gap.size() || absl::ascii_isspace(gap[i + 1]) ||
        gap[i + 1] == '$') {
      return true;
    }
  }
  return gap.find("\n\n") != kNone;
}

// Whether two boxes with `gap` between them are parts of one answer.
bool GapJoins(std::string_view gap) {
  if (gap.size() > kMaxGap || EndsSentence(gap)) return false;
  const std::vector<std::string> words = WordsOf(gap);
  const auto joiners = std::count_if(
      words.begin(), words.end(),
      [](const std::string& word) { return word == "and" || word == "or"; });
  for (const std::string_view broken :
       {"but", "thus", "so", "hence", "not", "no", "then", "therefore", "wait",
        "actually", "instead", "is", "because", "if", "check", "answer",
        "implies", "gives"}) {
    if (std::find(words.begin(), words.end(), broken) != words.end()) {
      return false;
    }
  }
  if (joiners == 1) return words.size() <= 6;
  if (joiners > 1 || !words.empty()) return false;
  std::string_view rest = gap;
  while (!rest.empty() && (absl::ascii_isspace(rest[0]) || rest[0] == '$' ||
                           rest[0] == '}' || rest[0] == ')')) {
    rest.remove_prefix(1);
  }
  if (rest.starts_with(',') || rest.starts_with(';')) return true;
  const bool arrow = gap.find("rightarrow") != kNone ||
                     gap.find("implies") != kNone || gap.find("to") != kNone;
  return gap.find('=') == kNone && !arrow;
}

// Words between two currency signs are no formula.
bool IsProse(std::string_view inner) {
  if (inner.find('\\') != kNone) return false;
  const std::vector<std::string> words = WordsOf(inner.substr(0, 200));
  return std::count_if(words.begin(), words.end(),
                       [](const auto& word) { return word.size() > 2; }) >= 2;
}

bool IsJoinerText(std::string_view gap) {
  static const RE2 joiner(
      R"((?i)[\s,;]*(?:\\text\{)?\s*(?:,|;|and|or)?\s*\}?[\s,;]*)",
      RE2::Latin1);
  return gap.size() < 40 && RE2::FullMatch(gap, joiner);
}

}  // namespace

std::vector<Box> LastBoxes(std::string_view text, size_t most, bool* open) {
  struct Open {
    size_t begin;
    size_t content;
    size_t depth;
  };
  std::vector<Open> stack;
  std::vector<Box> boxes;
  size_t depth = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\\' && i + 1 < text.size() &&
        (text[i + 1] == '{' || text[i + 1] == '}' || text[i + 1] == '\\')) {
      ++i;
    } else if (c == '{') {
      ++depth;
      const size_t command =
          BoxCommandBytes(text.substr(i > 80 ? i - 80 : 0, i > 80 ? 80 : i));
      if (command == 0) continue;
      // Boxes around thousands of others are not the last ones.
      if (stack.size() == kMaxOpen) {
        stack.erase(stack.begin(), stack.begin() + kMaxOpen / 2);
      }
      stack.push_back({i - command, i + 1, depth});
    } else if (c == '}' && depth > 0) {
      if (!stack.empty() && stack.back().depth == depth) {
        const Open closed = stack.back();
        stack.pop_back();
        boxes.push_back(
            {closed.begin, i + 1, Between(text, closed.content, i)});
        // Nested boxes close in the reverse order of their begin.
        if (boxes.size() > 2 * most) KeepLast(most, &boxes);
      }
      --depth;
    }
  }
  KeepLast(2 * most, &boxes);
  std::erase_if(boxes,
                [text](const Box& box) { return InComment(text, box.begin); });
  if (boxes.size() > most) boxes.erase(boxes.begin(), boxes.end() - most);
  *open = !stack.empty() &&
          (boxes.empty() || stack.back().begin > boxes.back().begin);
  return boxes;
}

std::vector<std::string_view> JoinedBoxes(std::string_view text, bool join,
                                          bool* open, size_t* end) {
  constexpr size_t kMostBoxes = 64;
  const std::vector<Box> boxes = LastBoxes(text, kMostBoxes, open);
  std::vector<std::string_view> parts;
  if (boxes.empty()) return parts;
  *end = boxes.back().end;
  size_t i = boxes.size() - 1;
  parts.push_back(boxes[i].content);
  size_t begin = boxes[i].begin;
  while (join && i > 0) {
    --i;
    if (boxes[i].end > begin) continue;  // A box around it.
    if (!GapJoins(Between(text, boxes[i].end, begin))) break;
    begin = boxes[i].begin;
    const std::string_view content = boxes[i].content;
    if (std::find(parts.begin(), parts.end(), content) == parts.end()) {
      parts.push_back(content);
    }
  }
  std::reverse(parts.begin(), parts.end());
  return parts;
}

std::vector<Formula> Formulas(std::string_view text, size_t most) {
  std::vector<Formula> formulas;
  size_t at = 0;
  const auto close = [&](size_t begin, std::string_view opener,
                         std::string_view closer, bool one_line) {
    const size_t content = begin + opener.size();
    size_t end = text.find(closer, content);
    while (end != kNone && end > 0 && text[end - 1] == '\\' &&
           closer[0] == '$') {
      end = text.find(closer, end + 1);
    }
    if (end == kNone) return false;
    const std::string_view inner = Between(text, content, end);
    if (one_line && (inner.find('\n') != kNone || IsProse(inner))) return false;
    at = end + closer.size();
    if (Trimmed(inner).empty()) return true;
    formulas.push_back({begin, at, inner});
    if (formulas.size() > 2 * most) {
      formulas.erase(formulas.begin(), formulas.begin() + most);
    }
    return true;
  };
  // What has no closer once has none later either.
  bool no_display = false;
  bool no_round = false;
  bool no_square = false;
  while ((at = text.find_first_of("$\\", at)) != kNone) {
    const std::string_view rest = text.substr(at);
    bool taken = false;
    if (rest.starts_with("$$") && !no_display) {
      taken = close(at, "$$", "$$", false);
      no_display = !taken;
    } else if (rest[0] == '$') {
      const size_t line = rest.find_first_of("\n$", 1);
      taken = line != kNone && rest[line] == '$' && close(at, "$", "$", true);
    } else if (rest.starts_with("\\(") && !no_round) {
      taken = close(at, "\\(", "\\)", false);
      no_round = !taken;
    } else if (rest.starts_with("\\[") && !no_square) {
      taken = close(at, "\\[", "\\]", false);
      no_square = !taken;
    }
    if (!taken) at += rest[0] == '\\' ? 2 : 1;
  }
  if (formulas.size() > most) {
    formulas.erase(formulas.begin(), formulas.end() - most);
  }
  return formulas;
}

size_t JoinedRun(std::string_view text, const std::vector<Formula>& formulas,
                 size_t first) {
  size_t count = 1;
  while (first + count < formulas.size() &&
         IsJoinerText(Between(text, formulas[first + count - 1].end,
                              formulas[first + count].begin))) {
    ++count;
  }
  return count;
}

std::string JoinedFormulas(std::string_view text,
                           const std::vector<Formula>& formulas, size_t first,
                           size_t count) {
  std::string joined;
  for (size_t i = first; i < first + count; ++i) {
    if (i > first) joined += ", ";
    joined += std::string(Trimmed(formulas[i].content));
  }
  // "$28$ percent"
  static const RE2 unit(R"((?i)\s*(percent|pct|%|\\%))", RE2::Latin1);
  re2::StringPiece behind = text.substr(formulas[first + count - 1].end);
  std::string word;
  if (RE2::Consume(&behind, unit, &word)) {
    absl::StrAppend(&joined, " \\%");
  }
  return joined;
}

std::optional<std::string_view> LastForeignAnchored(std::string_view text) {
  static const RE2 link(
      "(?i)\\s*(?:\\*\\*)?\\s*(?:est|es|ist|is|è|é|是|为|為|:|：|=|-|है)\\s*(?::"
      "|：)?",
      RE2::Latin1);
  size_t last = kNone;
  size_t behind = 0;
  for (const std::string_view word :
       {"éponse", "eponse", "答案", "espuesta", "ntwort", "isposta", "esposta",
        "твет", "उत्तर", "答え"}) {
    const size_t at = text.rfind(word);
    if (at == kNone || (last != kNone && at < last)) continue;
    re2::StringPiece rest = text.substr(at + word.size());
    const size_t size = rest.size();
    if (!RE2::Consume(&rest, link)) continue;
    last = at;
    behind = at + word.size() + size - rest.size();
  }
  if (last == kNone) return std::nullopt;
  return Trimmed(text.substr(behind)).substr(0, kMaxPhrase);
}

std::optional<std::string_view> LastAnchored(std::string_view text) {
  static const RE2 anchor(
      "(?i)answers?(?:\\s+(?:to|for|of|in)\\s[^.:\\n$]{0,80}?)?[\\s*_]*"
      "(?:is|are|was|would be|will be|should be|must be|=|:)"
      "[\\s*_]*(?:(?:then|thus|therefore|simply|just|also|now|indeed|actually|"
      "equal to|given by|approximately|about|clearly|for sure|definitely)\\b"
      "[\\s*_,]*)?[:\\s*_]*",
      RE2::Latin1);
  size_t end = text.size();
  for (size_t tried = 0; tried < kMaxAnchors; ++tried) {
    // The last "nswer" before `end`; the letter before it in either case.
    const size_t at = text.substr(0, end).rfind("nswer");
    if (at == kNone || at == 0) {
      return std::nullopt;
    }
    end = at;
    if (text[at - 1] != 'a' && text[at - 1] != 'A') continue;
    const std::string_view window = text.substr(at - 1, 300);
    re2::StringPiece rest = window;
    if (!RE2::Consume(&rest, anchor)) continue;
    std::string_view phrase =
        text.substr(at - 1 + (window.size() - rest.size()));
    while (!phrase.empty() && (absl::ascii_isspace(phrase[0]) ||
                               phrase[0] == '*' || phrase[0] == ':')) {
      phrase.remove_prefix(1);
    }
    return phrase.substr(0, kMaxPhrase);
  }
  return std::nullopt;
}

}  // namespace cohort
