// Finds stop texts in a completion while it grows.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "model/tokenizer.h"
#include "proto/types.pb.h"

namespace cohort {

// Special tokens are no text: not shown to graders, not found by stop texts.
std::string DecodeCompletion(const Tokenizer& tokenizer,
                             absl::Span<const int32_t> tokens);

// Where the first of `stops` begins in `text`; npos: nowhere.
size_t FindStop(std::string_view text, const std::vector<std::string>& stops);

// Follows one completion; decodes only what is new, since a token's text can
// depend on the one before it and a character can span several tokens.
class StopFinder {
 public:
  // `tokenizer` must outlive the finder. Requires that no stop is empty.
  StopFinder(const Tokenizer* tokenizer, std::vector<std::string> stops);

  // `tokens`: the whole completion so far. Returns whether its text contains a
  // stop; to be called after every token.
  bool Contains(absl::Span<const int32_t> tokens);

 private:
  const Tokenizer* tokenizer_;
  std::vector<std::string> stops_;
  size_t longest_ = 0;
  size_t context_ = 0;  // First token decoded with the new ones.
  size_t read_ = 0;     // Tokens whose text is in or before tail_.
  std::string tail_;    // The end of the text: what a stop may begin in.
};

}  // namespace cohort
