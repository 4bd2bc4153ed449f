// A template's text into tokens, with whitespace as Jinja treats it under
// trim_blocks and lstrip_blocks: a line break behind a block goes, and so does
// the indentation before one; "-" takes all whitespace on its side, "+" none.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "model/jinja/value.h"

namespace cohort::jinja {

enum class TokenType : uint8_t {
  kData,
  kVariableBegin,
  kVariableEnd,
  kBlockBegin,
  kBlockEnd,
  kName,
  kString,
  kInteger,
  kFloat,
  kOperator,
  kEnd,
};

struct Token {
  TokenType type = TokenType::kEnd;
  int line = 0;
  std::string text;  // Data, a name, an operator.
  Value value;       // Of a string or a number.

  bool Is(TokenType wanted, std::string_view wanted_text) const {
    return type == wanted && text == wanted_text;
  }
  bool IsName(std::string_view name) const {
    return Is(TokenType::kName, name);
  }
  bool IsOperator(std::string_view op) const {
    return Is(TokenType::kOperator, op);
  }
  // As an error names it.
  std::string Describe() const;
};

// Ends with kEnd. kInvalidArgument: "line N: TemplateSyntaxError: ...".
absl::StatusOr<std::vector<Token>> Tokenize(std::string_view source);

// An error at a line of the template.
absl::Status SyntaxError(int line, std::string_view message);

}  // namespace cohort::jinja
