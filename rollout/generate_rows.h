// The rows of `cohort generate` <-> what the engine takes and gives.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "proto/types.pb.h"

namespace cohort {

struct GenerateRow {
  std::string id;    // As it stood, in JSON; "file:line" where there is none.
  std::string flaw;  // Why nothing can be sampled for it; empty if it can.
  std::string text;
  std::vector<int32_t> ids;  // Given instead of a text.
  bool has_ids = false;
  // The row itself, where it has messages: what its chat template renders.
  std::string chat;
};

// Reads {"id", "prompt"}, {"id", "messages", "tools", "kwargs"} or {"id",
// "ids"}. An object that lacks something is a row with a flaw.
//   kInvalidArgument  `line` is not a JSON object
absl::StatusOr<GenerateRow> ParseGenerateRow(std::string_view line,
                                             const std::string& default_id);

// {"id", "completions": [{"text", "ids", "logprobs", "finish_reason"}]}, or
// {"id", "error"} for a row with a flaw; without a line end. `with_text`: false
// makes every text null.
std::string PrintCompletions(const GenerateRow& row, const Group& group,
                             bool with_text);

}  // namespace cohort
