// The "decoder" of tokenizer.json: the texts of tokens to a text.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/tokenizer/json_part.h"

namespace cohort {

// Thread-safe.
class Decoder {
 public:
  // kUnimplemented naming a type that is not built.
  static absl::StatusOr<std::unique_ptr<Decoder>> Parse(
      const JsonPart& component);

  virtual ~Decoder() = default;

  // Rewrites the texts; what is left of them is then joined without anything
  // between.
  //   kResourceExhausted  one grows beyond `most_bytes`, or Regex::FindAll's
  virtual absl::Status Apply(size_t most_bytes,
                             std::vector<std::string>* texts) const = 0;
};

}  // namespace cohort
