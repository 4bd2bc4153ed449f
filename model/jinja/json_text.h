// JSON into values, and values into JSON as Python's json.dumps writes it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "model/jinja/value.h"

namespace cohort::jinja {

// Ints of any size stay ints; a key given twice takes its later value.
//   kInvalidArgument  not JSON, or nested past kMaxValueDepth
Result FromJson(std::string_view text);

struct JsonStyle {
  bool ensure_ascii = false;
  std::optional<std::string> indent;  // One level of it; none: all on one line.
  std::string item_separator = ", ";
  std::string key_separator = ": ";
  bool sort_keys = false;
};

// TypeError for what JSON has no form for.
absl::StatusOr<std::string> ToJson(const Value& value, const JsonStyle& style);

}  // namespace cohort::jinja
