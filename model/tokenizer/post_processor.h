// The "post_processor" of tokenizer.json: special tokens around a text's.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "model/tokenizer/json_part.h"

namespace cohort {

// What it puts before and behind the tokens of a single text. (ByteLevel puts
// nothing: it only moves offsets.)
struct PostProcessor {
  std::vector<int32_t> before;
  std::vector<int32_t> behind;

  //   kInvalidArgument  a template that names an unknown token or not $A once
  //   kUnimplemented    a type that is not built, or two templates in a row
  static absl::StatusOr<PostProcessor> Parse(const JsonPart& component);
};

}  // namespace cohort
