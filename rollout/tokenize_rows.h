// The rows of `cohort tokenize`.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/chat_template.h"
#include "model/tokenizer.h"

namespace cohort {

struct TokenizeSettings {
  const Tokenizer* tokenizer = nullptr;
  // Rows with messages fail with its status where it is none.
  absl::StatusOr<std::unique_ptr<ChatTemplate>> chat_template =
      absl::NotFoundError("no chat template");
  bool decode = false;
};

// What one row becomes, without a line end. Bytes in it that are not UTF-8 are
// read as U+FFFD.
//   {"text", "add_special_tokens": false}  -> {"ids", "text"}
//   {"messages", "tools", "kwargs"}        -> the same, of the rendered text,
//                                             without added special tokens
//   {"ids", "skip_special_tokens": false}  -> the same, where `decode`
//   whatever else                          -> {"error"}
// A row's "id" is carried along.
//   kInvalidArgument  `line` is not JSON
absl::StatusOr<std::string> TokenizeRow(std::string_view line,
                                        const TokenizeSettings& settings);

}  // namespace cohort
