#include "learner/export_text.h"

#include <algorithm>
#include <array>
#include <map>

#include "proto/check.h"

namespace cohort {
namespace {

enum class Script : uint8_t {
  kNone,  // Signs, spaces, digits.
  kLatin,
  kGreek,
  kCyrillic,
  kHebrew,
  kArabic,
  kDevanagari,
  kThai,
  kHangul,
  kKana,
  kHan,
  kOther
};

struct ScriptRange {
  uint32_t first;
  uint32_t last;
  Script script;
};

// Letters outside ASCII, ascending. Source: the blocks of Unicode 15.
constexpr std::array<ScriptRange, 25> kRanges = {{
    {0x00aa, 0x00aa, Script::kLatin},      {0x00b5, 0x00b5, Script::kGreek},
    {0x00ba, 0x00ba, Script::kLatin},      {0x00c0, 0x00d6, Script::kLatin},
    {0x00d8, 0x00f6, Script::kLatin},      {0x00f8, 0x02af, Script::kLatin},
    {0x0370, 0x03ff, Script::kGreek},      {0x0400, 0x052f, Script::kCyrillic},
    {0x0590, 0x05ff, Script::kHebrew},     {0x0600, 0x077f, Script::kArabic},
    {0x0900, 0x097f, Script::kDevanagari}, {0x0980, 0x0dff, Script::kOther},
    {0x0e00, 0x0e7f, Script::kThai},       {0x0e80, 0x10ff, Script::kOther},
    {0x1100, 0x11ff, Script::kHangul},     {0x1200, 0x1dff, Script::kOther},
    {0x1e00, 0x1eff, Script::kLatin},      {0x1f00, 0x1fff, Script::kGreek},
    {0x3041, 0x30ff, Script::kKana},       {0x3400, 0x4dbf, Script::kHan},
    {0x4e00, 0x9fff, Script::kHan},        {0xac00, 0xd7af, Script::kHangul},
    {0xf900, 0xfaff, Script::kHan},        {0xff66, 0xff9d, Script::kKana},
    {0x20000, 0x323af, Script::kHan},
}};

Script ScriptOf(uint32_t character) {
  const auto range = std::partition_point(
      kRanges.begin(), kRanges.end(),
      [character](const ScriptRange& r) { return r.last < character; });
  return range != kRanges.end() && range->first <= character ? range->script
                                                             : Script::kNone;
}

bool IsAsciiWord(uint8_t c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
         (c >= 'A' && c <= 'Z');
}

// 0: parts words; 1: an operator; otherwise the letter or digit in lower case.
constexpr std::array<uint8_t, 128> kAscii = [] {
  std::array<uint8_t, 128> table = {};
  for (uint8_t c = 0; c < 128; ++c) {
    if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z')) table[c] = c;
    if (c >= 'A' && c <= 'Z') table[c] = static_cast<uint8_t>(c | 0x20);
  }
  for (const char c : {'+', '-', '*', '/', '=', '<', '>', '^', '%', '&'}) {
    table[static_cast<uint8_t>(c)] = 1;
  }
  return table;
}();

// The character at `*at`, which moves behind it. What is no UTF-8 counts as one
// sign for each byte.
uint32_t NextCharacter(std::string_view text, size_t* at) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const size_t begin = (*at)++;
  const uint8_t first = byte(begin);
  const size_t size = first < 0xc2   ? 1
                      : first < 0xe0 ? 2
                      : first < 0xf0 ? 3
                                     : 4;
  if (size == 1) return first < 0x80 ? first : 0xfffd;
  if (begin + size > text.size()) return 0xfffd;
  uint32_t character = first & (0xffu >> (size + 1));
  for (size_t i = 1; i < size; ++i) {
    if ((byte(begin + i) & 0xc0) != 0x80) return 0xfffd;
    character = (character << 6) | (byte(begin + i) & 0x3fu);
  }
  *at = begin + size;
  return character;
}

bool StandsAlone(Script script) {
  return script == Script::kHan || script == Script::kKana;
}

constexpr uint64_t kSeed = 0xcbf29ce484222325;  // FNV-1a's.
constexpr uint64_t kPrime = 0x100000001b3;

uint64_t Finish(uint64_t hash) {
  hash ^= hash >> 32;
  hash *= 0xd6e8feb86659fd93;  // A full mixing of FNV's weak high bits.
  return hash ^ (hash >> 32);
}

// Whether an operand follows behind spaces.
bool OperandFollows(std::string_view text, size_t at) {
  while (at < text.size() && text[at] == ' ') ++at;
  return at < text.size() && (IsAsciiWord(static_cast<uint8_t>(text[at])) ||
                              text[at] == '(' || text[at] == '\\');
}

// Splits into words.
class WordReader {
 public:
  WordReader(std::string_view text, std::vector<uint64_t>* words)
      : text_(text), words_(words) {}

  void Read() {
    while (at_ < text_.size()) {
      if (TakeWord()) continue;
      const uint8_t c = static_cast<uint8_t>(text_[at_]);
      if (c >= 0x80) {
        NextCharacter(text_, &at_);
        operand_ = false;
        continue;
      }
      if (kAscii[c] == 1) TakeOperator(c);
      operand_ = (operand_ && c == ' ') || c == ')' || c == '}';
      if (c == ')' || c == '}') letters_ = 0;
      ++at_;
    }
  }

 private:
  // False where none begins here.
  bool TakeWord() {
    uint64_t hash = kSeed;
    const size_t begin = at_;
    int letters = 0;
    while (at_ < text_.size()) {
      const uint8_t c = static_cast<uint8_t>(text_[at_]);
      if (c < 0x80) {
        if (kAscii[c] <= 1) break;
        hash = (hash ^ kAscii[c]) * kPrime;
        if (c > '9') ++letters;
        ++at_;
        continue;
      }
      size_t behind = at_;
      const uint32_t character = NextCharacter(text_, &behind);
      const Script script = ScriptOf(character);
      if (script == Script::kNone) break;
      if (StandsAlone(script) && at_ > begin) break;
      hash = (hash ^ character) * kPrime;
      ++letters;
      at_ = behind;
      if (StandsAlone(script)) break;
    }
    if (at_ == begin) return false;
    words_->push_back(Finish(hash));
    operand_ = true;
    letters_ = letters;
    return true;
  }

  void TakeOperator(uint8_t c) {
    if (!operand_ || !OperandFollows(text_, at_ + 1)) return;
    // Behind a word of letters it is a hyphen or a dash.
    if (c == '-' && letters_ > 1) return;
    words_->push_back(Finish((kSeed ^ c) * kPrime));
  }

  const std::string_view text_;
  std::vector<uint64_t>* const words_;
  size_t at_ = 0;
  bool operand_ = false;  // What came last may stand before an operator.
  int letters_ = 0;       // Of the last word.
};

bool InLanguage(Script script, const std::string& language) {
  static const auto* const scripts =
      new std::map<std::string, std::vector<Script>>{
          {"ar", {Script::kArabic}},     {"el", {Script::kGreek}},
          {"en", {Script::kLatin}},      {"he", {Script::kHebrew}},
          {"hi", {Script::kDevanagari}}, {"ja", {Script::kKana, Script::kHan}},
          {"ko", {Script::kHangul}},     {"ru", {Script::kCyrillic}},
          {"th", {Script::kThai}},       {"zh", {Script::kHan}}};
  const auto own = scripts->find(language);
  COHORT_CHECK(own != scripts->end());
  return std::find(own->second.begin(), own->second.end(), script) !=
         own->second.end();
}

// Behind a formula or a command that begins at `at`; `at` where none does.
size_t SkipFormula(std::string_view text, size_t at) {
  if (text[at] == '$') {
    const size_t end =
        text.find('$', text.substr(at, 2) == "$$" ? at + 2 : at + 1);
    if (end == std::string_view::npos) return at + 1;
    return text.substr(end, 2) == "$$" ? end + 2 : end + 1;
  }
  if (text[at] != '\\') return at;
  size_t end = at + 1;
  while (end < text.size() && IsAsciiWord(static_cast<uint8_t>(text[end]))) {
    ++end;
  }
  return end;
}

// Lines of `text` in turn.
template <typename Use>
void ForEachLine(std::string_view text, Use use) {
  while (!text.empty()) {
    const size_t end = text.find('\n');
    use(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
}

bool IsIdentifier(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return IsAsciiWord(static_cast<uint8_t>(c)) || c == '_' || c == '.';
  });
}

bool IsCodeLine(std::string_view line) {
  const size_t indent = line.find_first_not_of(" \t>");
  if (indent == std::string_view::npos) return false;
  line.remove_prefix(indent);
  if (line.starts_with("```") || line.starts_with("~~~")) return true;
  if (line.starts_with("#include <") || line.starts_with("print(")) return true;
  if (line.starts_with("import ")) return IsIdentifier(line.substr(7));
  if (!line.starts_with("def ")) return false;
  const size_t open = line.find('(');
  return open != std::string_view::npos && open > 4 &&
         IsIdentifier(line.substr(4, open - 4));
}

}  // namespace

void AppendWords(std::string_view text, std::vector<uint64_t>* words) {
  WordReader(text, words).Read();
}

double LanguageShare(std::string_view text, const std::string& language) {
  int64_t words = 0;
  int64_t own = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t behind = SkipFormula(text, at);
    if (behind > at) {
      at = behind;
      continue;
    }
    int64_t letters = 0;
    Script word = Script::kNone;
    while (at < text.size()) {
      const size_t begin = at;
      const uint32_t c = NextCharacter(text, &at);
      const bool ascii_letter =
          c < 0x80 && kAscii[c] >= 'a' && kAscii[c] <= 'z';
      const Script script = ascii_letter ? Script::kLatin
                            : c < 0x80   ? Script::kNone
                                         : ScriptOf(c);
      if (script == Script::kNone && letters == 0) break;
      if (letters > 0 && (script != word || StandsAlone(word))) {
        at = begin;
        break;
      }
      word = script;
      ++letters;
    }
    // One letter may be a name in any language's formulas.
    if (letters < (StandsAlone(word) ? 1 : 2)) continue;
    ++words;
    if (InLanguage(word, language)) ++own;
  }
  return words == 0 ? 1.0
                    : static_cast<double>(own) / static_cast<double>(words);
}

int64_t LongestParagraph(std::string_view text) {
  int64_t longest = 0;
  int64_t length = 0;
  ForEachLine(text, [&](std::string_view line) {
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) {
      length = 0;
      return;
    }
    length += 1 + std::count_if(line.begin(), line.end(), [](char c) {
                return (static_cast<uint8_t>(c) & 0xc0) != 0x80;
              });
    longest = std::max(longest, length - 1);
  });
  return longest;
}

bool HoldsCode(std::string_view text) {
  bool found = false;
  ForEachLine(text, [&found](std::string_view line) {
    found = found || IsCodeLine(line);
  });
  return found;
}

std::string_view ReasoningOf(std::string_view text, std::string_view format) {
  const bool compact = format == "compact";
  const std::string_view open = compact ? "[" : "<think>";
  const std::string_view close = compact ? "]" : "</think>";
  const size_t end = text.find(close);
  if (end == std::string_view::npos) return {};
  const size_t begin = text.substr(0, end).find(open);
  if (begin == std::string_view::npos) {
    return compact ? std::string_view() : text.substr(0, end);
  }
  return text.substr(begin + open.size(), end - begin - open.size());
}

}  // namespace cohort
