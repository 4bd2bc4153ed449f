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
  // From a Hugging Face folder's tokenizer.json and tokenizer_config.json: the
  // same tokens and texts as the tokenizers library 0.23.3, byte-pair models
  // only. Of tokenizer_config.json nothing changes tokens.
  //   kNotFound         the folder has no tokenizer.json
  //   kInvalidArgument  the file contradicts itself
  //   kUnimplemented    a component that is not built, named
  static absl::StatusOr<std::unique_ptr<Tokenizer>> Load(
      const std::string& folder);

  // The same from the files' text. `config_json` may be empty.
  static absl::StatusOr<std::unique_ptr<Tokenizer>> Parse(
      const std::string& tokenizer_json, const std::string& config_json,
      const std::string& name);

  // One token per byte: ids 0 to 255.
  static std::unique_ptr<Tokenizer> Bytes();

  virtual ~Tokenizer() = default;

  // Special tokens in the text are recognised either way.
  //   add_special_tokens: also those that the post-processor puts around a
  //     text, for example the one that begins a prompt
  //   kInvalidArgument  the text is not UTF-8, or has a character that there is
  //                     no token for, which is named
  virtual absl::StatusOr<std::vector<int32_t>> Encode(
      std::string_view text, bool add_special_tokens) const = 0;
  absl::StatusOr<std::vector<int32_t>> Encode(std::string_view text) const {
    return Encode(text, /*add_special_tokens=*/false);
  }

  // Always UTF-8: bytes that are none become U+FFFD. Ids without a token are
  // left out, as in the tokenizers library.
  virtual std::string Decode(absl::Span<const int32_t> ids,
                             bool skip_special_tokens) const = 0;

  // One more than the largest id.
  virtual int64_t vocab_size() const = 0;

  // Of all that tokens are made by; equal hashes, equal tokens.
  virtual std::string hash() const = 0;
};

}  // namespace cohort
