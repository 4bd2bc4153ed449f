#include "rollout/stop_text.h"

#include <algorithm>
#include <utility>

namespace cohort {
namespace {

// An unfinished character decodes to this.
constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

// No character takes more tokens: what is broken for longer stays broken.
constexpr size_t kMostTokensOfCharacter = 8;

}  // namespace

std::string DecodeCompletion(const Tokenizer& tokenizer,
                             absl::Span<const int32_t> tokens) {
  return tokenizer.Decode(tokens, /*skip_special_tokens=*/true);
}

size_t FindStop(std::string_view text, const std::vector<std::string>& stops) {
  size_t first = std::string_view::npos;
  for (const std::string& stop : stops) {
    first = std::min(first, text.find(stop));
  }
  return first;
}

StopFinder::StopFinder(const Tokenizer* tokenizer,
                       std::vector<std::string> stops)
    : tokenizer_(tokenizer), stops_(std::move(stops)) {
  for (const std::string& stop : stops_) {
    longest_ = std::max(longest_, stop.size());
  }
}

bool StopFinder::Contains(absl::Span<const int32_t> tokens) {
  const std::string before =
      DecodeCompletion(*tokenizer_, tokens.subspan(context_, read_ - context_));
  const std::string now =
      DecodeCompletion(*tokenizer_, tokens.subspan(context_));
  if (now.size() > before.size()) {
    const std::string_view fresh = std::string_view(now).substr(before.size());
    if (FindStop(tail_ + std::string(fresh), stops_) != std::string::npos) {
      return true;
    }
    if (fresh.ends_with(kReplacement) &&
        tokens.size() - read_ < kMostTokensOfCharacter) {
      return false;
    }
    tail_ += fresh;
    if (tail_.size() > longest_) tail_.erase(0, tail_.size() - longest_);
    context_ = read_;
    read_ = tokens.size();
  }
  return false;
}

}  // namespace cohort
