// The rows of `cohort score` <-> tokens and their log-probabilities.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace cohort {

struct ScoreRow {
  std::string id;    // As it stood, in JSON; "file:line" where there is none.
  std::string name;  // The same, for people: texts without their quotes.
  std::string flaw;  // Why it cannot be scored; empty if it can.
  std::vector<int32_t> ids;
};

// Reads {"id", "ids"}. An object that lacks something is a row with a flaw.
//   kInvalidArgument  `line` is not a JSON object
absl::StatusOr<ScoreRow> ParseScoreRow(std::string_view line,
                                       const std::string& place);

// {"id", "logprobs"}, or {"id", "error"} for a row with a flaw; without a line
// end. `logprobs`: nats, of the tokens from the second on.
std::string PrintScore(const ScoreRow& row, const std::vector<float>& logprobs);

}  // namespace cohort
