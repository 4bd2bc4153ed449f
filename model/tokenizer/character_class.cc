#include "model/tokenizer/character_class.h"

#include <unicode/uchar.h>
#include <unicode/uscript.h>

#include <cctype>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "model/tokenizer/unicode_additions.h"

namespace cohort {
namespace {

constexpr std::string_view kSpaces =
    "\\x{9}-\\x{d}\\x{20}\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}"
    "\\x{2029}\\x{202f}\\x{205f}\\x{3000}";

// Han characters that Unicode 15.1 added (ICU 72 is of Unicode 15.0).
constexpr char32_t kHanFirst = 0x2EBF0;
constexpr char32_t kHanLast = 0x2EE5D;

std::string Range(char32_t first, char32_t last) {
  return first == last ? HexEscape(first)
                       : absl::StrCat(HexEscape(first), "-", HexEscape(last));
}

// Lower case, without what the names of properties are compared without.
std::string Canonical(std::string_view name) {
  std::string canonical;
  for (const char c : name) {
    if (c == ' ' || c == '_' || c == '-') continue;
    canonical.push_back(
        static_cast<char>(std::tolower(static_cast<unsigned char>(c))));
  }
  return canonical;
}

// "Lu", "L" or "LC" for any spelling of a general category, else "".
std::string GeneralCategory(const std::string& name) {
  const int32_t mask =
      u_getPropertyValueEnum(UCHAR_GENERAL_CATEGORY_MASK, name.c_str());
  if (mask == UCHAR_INVALID_CODE) return "";
  const char* const shortest = u_getPropertyValueName(
      UCHAR_GENERAL_CATEGORY_MASK, mask, U_SHORT_PROPERTY_NAME);
  return shortest == nullptr ? "" : shortest;
}

bool IsIn(const UnicodeAddition& addition, std::string_view category) {
  if (category == "LC") {
    return std::string_view(addition.category) == "Lu" ||
           std::string_view(addition.category) == "Ll";
  }
  return std::string_view(addition.category).starts_with(category);
}

std::string AdditionsIn(std::string_view category) {
  std::string items;
  for (const UnicodeAddition& addition : kUnicodeAdditions) {
    if (IsIn(addition, category)) {
      items += Range(addition.first, addition.last);
    }
  }
  return items;
}

CharacterClass CategoryClass(const std::string& category, bool with_additions) {
  CharacterClass set;
  set.items =
      category == "LC" ? "\\p{L&}" : absl::StrCat("\\p{", category, "}");
  if (!with_additions) return set;
  if (category == "C" || category == "Cn") {
    // To PCRE2 the additions are unassigned.
    return FromPattern(absl::StrCat("(?![", AdditionsIn(""), "])", set.items));
  }
  set.items += AdditionsIn(category);
  return set;
}

CharacterClass ScriptClass(UScriptCode script, bool with_additions) {
  // PCRE2 takes the bare name for the script extensions.
  CharacterClass set{absl::StrCat("\\p{sc:", uscript_getName(script), "}"), {}};
  if (!with_additions) return set;
  for (const UnicodeAddition& addition : kUnicodeAdditions) {
    for (char32_t c = addition.first; c <= addition.last; ++c) {
      UErrorCode error = U_ZERO_ERROR;
      const bool han = script == USCRIPT_HAN && c >= kHanFirst && c <= kHanLast;
      if (han || uscript_getScript(static_cast<UChar32>(c), &error) == script) {
        set.items += HexEscape(c);
      }
    }
  }
  return set;
}

CharacterClass Union(const std::vector<CharacterClass>& parts) {
  CharacterClass all;
  for (const CharacterClass& part : parts) all.Add(part);
  return all;
}

}  // namespace

void CharacterClass::Add(const CharacterClass& other) {
  items += other.items;
  patterns.insert(patterns.end(), other.patterns.begin(), other.patterns.end());
}

std::string CharacterClass::Pattern() const {
  if (patterns.empty()) {
    return items.empty() ? "(?!)" : absl::StrCat("[", items, "]");
  }
  std::string pattern = "(?:";
  for (const std::string& alternative : patterns) {
    absl::StrAppend(&pattern, alternative, "|");
  }
  if (items.empty()) {
    pattern.pop_back();
  } else {
    absl::StrAppend(&pattern, "[", items, "]");
  }
  return pattern + ")";
}

std::string CharacterClass::NegatedPattern() const {
  if (!patterns.empty()) return absl::StrCat("(?:(?!", Pattern(), ")(?s:.))");
  return items.empty() ? "(?s:.)" : absl::StrCat("[^", items, "]");
}

std::string HexEscape(char32_t c) {
  return absl::StrFormat("\\x{%x}", static_cast<uint32_t>(c));
}

CharacterClass SingleRange(char32_t first, char32_t last) {
  return {Range(first, last), {}};
}

CharacterClass FromPattern(std::string pattern) {
  return {"", {std::move(pattern)}};
}

CharacterClass NamedClass(std::string_view name, bool with_additions) {
  const auto property = [&](const char* of) {
    return PropertyClass(of, with_additions);
  };
  if (name == "s" || name == "space") return {std::string(kSpaces), {}};
  if (name == "d" || name == "digit") return property("Nd");
  if (name == "h" || name == "xdigit") return {"0-9A-Fa-f", {}};
  if (name == "w" || name == "word") {
    // Oniguruma counts some of Latin-1's numbers, but not in the brackets.
    CharacterClass word = Union({property("Alphabetic"), property("M"),
                                 property("Nd"), property("Pc")});
    if (name == "w") word.items += "\\x{b2}\\x{b3}\\x{b9}\\x{bc}-\\x{be}";
    return word;
  }
  if (name == "alpha") return property("Alphabetic");
  if (name == "alnum") return Union({property("Alphabetic"), property("Nd")});
  if (name == "upper") return property("Uppercase");
  if (name == "lower") return property("Lowercase");
  if (name == "cntrl") return property("Cc");
  if (name == "blank") return {absl::StrCat("\\p{Zs}", "\\x{9}"), {}};
  if (name == "punct") return Union({property("P"), property("S")});
  if (name == "ascii") return SingleRange(0, 0x7F);
  return {};
}

CharacterClass PropertyClass(std::string_view name, bool with_additions) {
  const std::string canonical = Canonical(name);
  if (canonical == "alphabetic" || canonical == "alpha") {
    CharacterClass set{"\\p{Alphabetic}", {}};
    if (with_additions) {
      set.items += AdditionsIn("L") + AdditionsIn("Nl");
    }
    return set;
  }
  for (const char* const bracket : {"space", "digit", "xdigit", "word", "alnum",
                                    "cntrl", "blank", "punct", "ascii"}) {
    if (canonical == bracket) return NamedClass(bracket, with_additions);
  }
  const std::string category = GeneralCategory(canonical);
  if (!category.empty()) return CategoryClass(category, with_additions);
  const int32_t script =
      u_getPropertyValueEnum(UCHAR_SCRIPT, canonical.c_str());
  if (script != UCHAR_INVALID_CODE) {
    return ScriptClass(static_cast<UScriptCode>(script), with_additions);
  }
  return {absl::StrCat("\\p{", std::string(name), "}"), {}};
}

}  // namespace cohort
