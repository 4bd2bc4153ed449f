// Text <-> tokens, as tokenizer.json says.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace cohort {

// Thread-safe once loaded (immutable).
class Tokenizer {
 public:
  // From a Hugging Face folder's tokenizer.json and tokenizer_config.json. A
  // component that is not built is kUnimplemented and named.
  static absl::StatusOr<std::unique_ptr<Tokenizer>> Load(
      const std::string& folder);

  // The same from the files' text. `config_json` may be empty.
  static absl::StatusOr<std::unique_ptr<Tokenizer>> Parse(
      const std::string& tokenizer_json, const std::string& config_json,
      const std::string& name);

  // One token per byte: ids 0 to 255.
  static std::unique_ptr<Tokenizer> Bytes();

  virtual ~Tokenizer() = default;

  // kInvalidArgument naming the first text that has no token.
  virtual absl::StatusOr<std::vector<int32_t>> Encode(
      std::string_view text) const = 0;

  // Ids without a token become U+FFFD.
  virtual std::string Decode(absl::Span<const int32_t> ids,
                             bool skip_special_tokens) const = 0;

  // One more than the largest id.
  virtual int64_t vocab_size() const = 0;

  // Of the text that tokens are made by; equal hashes, equal tokens.
  virtual std::string hash() const = 0;
};

}  // namespace cohort
