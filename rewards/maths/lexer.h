// Answers as tokens. Numbers are whole here: "1,234.5", "0.1\overline{6}",
// "2 1/3" and "3.0e8" are one token each.
#pragma once

#include <gmpxx.h>

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace cohort {

enum class TokenKind : uint8_t {
  kEnd,
  kNumber,
  kLetter,   // One letter.
  kWord,     // Several letters that stand for one thing.
  kCommand,  // \name, without the backslash
  kText,     // The content of \text{..} and its kin.
  kChar,     // Any other character.
};

struct Token {
  TokenKind kind = TokenKind::kEnd;
  bool spaced = false;        // Whitespace stood before it.
  bool literal = false;       // kNumber: digits alone.
  bool decimal = false;       // kNumber: has a decimal point.
  bool operatorname = false;  // kText: may be the name of a function.
  int decimals = 0;  // kNumber: digits behind the point; -1 if repeating
  size_t begin = 0;  // Where it starts in the text.
  std::string_view text;
  mpq_class number;

  bool IsChar(char c) const {
    return kind == TokenKind::kChar && text.size() == 1 && text[0] == c;
  }
  bool IsCommand(std::string_view name) const {
    return kind == TokenKind::kCommand && text == name;
  }
};

struct LexOptions {
  bool decimal_comma = false;
};

inline constexpr size_t kMaxAnswerBytes = 16384;
inline constexpr size_t kMaxNumberDigits = 4096;

// The tokens of `text`, which they point into, with kEnd at the end. Layout
// (\left, $, \displaystyle, ...) is gone.
//   kInvalidArgument  a character that no answer holds, a brace too many, a
//                     number too long
absl::StatusOr<std::vector<Token>> Lex(std::string_view text,
                                       const LexOptions& options);

}  // namespace cohort
