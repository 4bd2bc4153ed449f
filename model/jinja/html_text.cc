#include "model/jinja/html_text.h"

#include <algorithm>
#include <array>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"
#include "model/jinja/text.h"

namespace cohort::jinja {
namespace {

constexpr std::array<std::pair<std::string_view, char32_t>, 12> kEntities = {
    {{"amp", '&'},
     {"lt", '<'},
     {"gt", '>'},
     {"quot", '"'},
     {"apos", '\''},
     {"nbsp", 0xA0},
     {"copy", 0xA9},
     {"raquo", 0xBB},
     {"laquo", 0xAB},
     {"mdash", 0x2014},
     {"ndash", 0x2013},
     {"hellip", 0x2026}}};

// The character of "amp" or "#39"; 0 if it is none that is known.
char32_t EntityOf(std::string_view name) {
  if (!name.empty() && name[0] == '#') {
    uint32_t code = 0;
    const bool is_hex = name.size() > 1 && (name[1] == 'x' || name[1] == 'X');
    const std::string digits(name.substr(is_hex ? 2 : 1));
    const bool right = is_hex ? absl::SimpleHexAtoi(digits, &code)
                              : absl::SimpleAtoi(digits, &code);
    return right && code > 0 && code <= 0x10FFFF ? code : 0;
  }
  for (const auto& [theirs, character] : kEntities) {
    if (theirs == name) return character;
  }
  return 0;
}

std::string ResolveEntities(std::string_view text) {
  std::string result;
  for (size_t at = 0; at < text.size(); ++at) {
    const size_t end = text[at] == '&' ? text.find(';', at) : text.npos;
    if (end != text.npos && end - at <= 33) {
      const char32_t c = EntityOf(text.substr(at + 1, end - at - 1));
      if (c != 0) {
        Append(c, &result);
        at = end;
        continue;
      }
    }
    result += text[at];
  }
  return result;
}

bool IsLetter(char32_t c) { return IsWord(c) && !IsDecimal(c); }
bool IsWordOrPoint(char32_t c) {
  return IsWord(c) ||
         (c < 0x80 && std::string_view("!\"'&.,?").find(static_cast<char>(c)) !=
                          std::string_view::npos);
}

// textwrap breaks lines at these only.
bool IsWrapSpace(char32_t c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// True if a word may be broken behind its hyphen at `at`.
bool BreaksBehind(std::u32string_view word, size_t at) {
  const auto letter = [&](size_t i) {
    return i < word.size() && IsLetter(word[i]);
  };
  const bool before = (at >= 2 && letter(at - 1) && letter(at - 2)) ||
                      (at >= 3 && IsWordOrPoint(word[at - 1]) &&
                       word[at - 2] == '-' && letter(at - 3));
  const bool after =
      letter(at + 1) &&
      (letter(at + 2) ||
       (at + 2 < word.size() && word[at + 2] == '-' && letter(at + 3)));
  return before && after;
}

// Hyphens from `at` on, if they are a dash between words; 0 if not.
size_t DashLength(std::u32string_view word, size_t at) {
  size_t end = at;
  while (end < word.size() && word[end] == '-') ++end;
  const bool is_dash = end - at >= 2 && at > 0 && IsWordOrPoint(word[at - 1]) &&
                       end < word.size() && IsWord(word[end]);
  return is_dash ? end - at : 0;
}

void AddWord(std::u32string_view word, bool on_hyphens,
             std::vector<std::u32string>* chunks) {
  size_t begin = 0;
  for (size_t i = 0; on_hyphens && i < word.size(); ++i) {
    if (word[i] != '-') continue;
    if (const size_t dash = DashLength(word, i); dash > 0) {
      if (i > begin) chunks->emplace_back(word.substr(begin, i - begin));
      chunks->emplace_back(word.substr(i, dash));
      begin = i + dash;
      i = begin - 1;
    } else if (i > begin && BreaksBehind(word, i)) {
      chunks->emplace_back(word.substr(begin, i + 1 - begin));
      begin = i + 1;
    }
  }
  if (begin < word.size()) chunks->emplace_back(word.substr(begin));
}

// Spaces, words and parts of words, last first.
std::vector<std::u32string> Chunks(std::string_view text, bool on_hyphens) {
  const std::u32string characters = Decode(text);
  std::vector<std::u32string> chunks;
  for (size_t begin = 0; begin < characters.size();) {
    const bool is_space = IsWrapSpace(characters[begin]);
    size_t end = begin;
    while (end < characters.size() &&
           IsWrapSpace(characters[end]) == is_space) {
      ++end;
    }
    const auto part =
        std::u32string_view(characters).substr(begin, end - begin);
    AddWord(part, on_hyphens && !is_space, &chunks);
    begin = end;
  }
  std::reverse(chunks.begin(), chunks.end());
  return chunks;
}

bool IsBlank(const std::u32string& chunk) {
  return std::all_of(chunk.begin(), chunk.end(), IsSpace);
}

// Moves what fits of a word that is longer than a line.
void BreakLongWord(const WrapStyle& style, size_t room,
                   std::vector<std::u32string>* chunks, std::u32string* line) {
  std::u32string& word = chunks->back();
  if (!style.break_long_words) {
    if (!line->empty()) return;
    *line += word;
    chunks->pop_back();
    return;
  }
  size_t end = std::min(room, word.size());
  if (style.break_on_hyphens && word.size() > room) {
    const size_t hyphen = word.rfind(U'-', room - 1);
    const bool usable =
        hyphen != word.npos && hyphen > 0 && hyphen < room &&
        std::any_of(word.begin(), word.begin() + static_cast<ptrdiff_t>(hyphen),
                    [](char32_t c) { return c != '-'; });
    if (usable) end = hyphen + 1;
  }
  *line += word.substr(0, end);
  word.erase(0, end);
}

}  // namespace

std::string QuoteUrl(std::string_view text, bool in_query) {
  std::string result;
  for (const char c : text) {
    if (absl::ascii_isalnum(c) || c == '_' || c == '.' || c == '-' ||
        c == '~' || (c == '/' && !in_query)) {
      result += c;
    } else if (c == ' ' && in_query) {
      result += '+';
    } else {
      absl::StrAppendFormat(&result, "%%%02X", static_cast<uint8_t>(c));
    }
  }
  return result;
}

std::string StripTags(std::string_view text) {
  std::string plain;
  size_t at = 0;
  for (size_t tag = text.find('<'); tag != text.npos;
       tag = text.find('<', at)) {
    const bool is_comment = text.substr(tag, 4) == "<!--";
    const size_t end =
        is_comment ? text.find("-->", tag + 4) : text.find('>', tag);
    if (end == text.npos) break;
    plain += text.substr(at, tag - at);
    at = end + (is_comment ? 3 : 1);
  }
  plain += text.substr(at);
  std::string spaced;
  for (const char32_t c : Decode(StripSpace(plain, Side::kBoth))) {
    if (!IsSpace(c)) {
      Append(c, &spaced);
    } else if (spaced.back() != ' ') {
      spaced += ' ';
    }
  }
  return ResolveEntities(spaced);
}

std::vector<std::string> WrapWords(std::string_view text,
                                   const WrapStyle& style) {
  std::vector<std::u32string> chunks = Chunks(text, style.break_on_hyphens);
  const auto width = static_cast<size_t>(style.width);
  std::vector<std::string> lines;
  while (!chunks.empty()) {
    // Spaces begin no line but the first.
    if (!lines.empty() && IsBlank(chunks.back())) chunks.pop_back();
    std::vector<std::u32string> line;
    size_t length = 0;
    while (!chunks.empty() && length + chunks.back().size() <= width) {
      length += chunks.back().size();
      line.push_back(std::move(chunks.back()));
      chunks.pop_back();
    }
    if (!chunks.empty() && chunks.back().size() > width) {
      std::u32string part = line.empty() ? U"" : U"x";  // Only asks if empty.
      const size_t had = part.size();
      BreakLongWord(style, std::max<size_t>(width - length, 1), &chunks, &part);
      if (part.size() > had) line.push_back(part.substr(had));
      if (!chunks.empty() && chunks.back().empty()) chunks.pop_back();
    }
    if (!line.empty() && IsBlank(line.back())) line.pop_back();
    if (line.empty()) continue;
    std::u32string whole;
    for (const std::u32string& part : line) whole += part;
    lines.push_back(Encode(whole));
  }
  return lines;
}

}  // namespace cohort::jinja
