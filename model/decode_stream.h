// Text as it grows, token by token.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/tokenizer.h"

namespace cohort {

// Decodes one completion while it is sampled: the parts it gives are those of
// the tokenizers library's DecodeStream 0.23.3, and together the whole text.
class DecodeStream {
 public:
  // `tokenizer` must outlive the stream.
  DecodeStream(const Tokenizer* tokenizer, bool skip_special_tokens)
      : tokenizer_(tokenizer), skip_special_tokens_(skip_special_tokens) {}

  // The text that `id` adds; null while a character is incomplete, and where a
  // token adds none.
  //   kFailedPrecondition  what was given before is no longer how the text
  //                        begins: a decoder that looks ahead
  absl::StatusOr<std::optional<std::string>> Step(int32_t id);

 private:
  std::string Decode() const {
    return tokenizer_->Decode(ids_, skip_special_tokens_);
  }

  const Tokenizer* tokenizer_;
  bool skip_special_tokens_;
  std::vector<int32_t> ids_;  // The last ones given, and those not yet.
  size_t given_ = 0;          // Of ids_.
  std::string prefix_;        // The text of those given.
};

}  // namespace cohort
