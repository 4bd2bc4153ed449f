// Fields of a prompt's row that only its verifier knows.
#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "proto/types.pb.h"

namespace cohort {

// `key` of Prompt.row_json; empty where the row has none.
//   kInvalidArgument  it is there and not a text, or not a finite number
absl::StatusOr<std::optional<std::string>> TextField(const Prompt& prompt,
                                                     const std::string& key);
absl::StatusOr<std::optional<double>> NumberField(const Prompt& prompt,
                                                  const std::string& key);

}  // namespace cohort
