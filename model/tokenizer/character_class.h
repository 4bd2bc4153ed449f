// One character of a pattern: sets of them in PCRE2's syntax.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace cohort {

// A set written as items of a PCRE2 class, with what no class can hold beside
// it as patterns of their own that match one character.
struct CharacterClass {
  std::string items;                  // "a-z\p{L}", without brackets.
  std::vector<std::string> patterns;  // Alternatives to `items`.

  // Adds the members of `other`.
  void Add(const CharacterClass& other);

  // A pattern that matches one member.
  std::string Pattern() const;

  // A pattern that matches one character that is no member.
  std::string NegatedPattern() const;
};

// "\x{61}".
std::string HexEscape(char32_t c);

CharacterClass SingleRange(char32_t first, char32_t last);

// Exactly the class that matches what `pattern` does.
CharacterClass FromPattern(std::string pattern);

// The sets of Oniguruma 6.9.10 (Unicode 16) that PCRE2 has otherwise or not.
//   name: "s", "d", "w", "h" (as \s), or "alpha" (as [:alpha:])
// Empty when there is no such set.
CharacterClass NamedClass(std::string_view name, bool with_additions);

// \p{name}. A name that is not known here is left to PCRE2.
CharacterClass PropertyClass(std::string_view name, bool with_additions);

}  // namespace cohort
