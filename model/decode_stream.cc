#include "model/decode_stream.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "model/utf8.h"

namespace cohort {

absl::StatusOr<std::optional<std::string>> DecodeStream::Step(int32_t id) {
  if (prefix_.empty() && !ids_.empty()) {
    std::string prefix = Decode();
    if (!prefix.ends_with(kReplacement)) {
      prefix_ = std::move(prefix);
      given_ = ids_.size();
    }
  }
  ids_.push_back(id);
  std::string text = Decode();
  if (text.size() <= prefix_.size() || text.ends_with(kReplacement)) {
    return std::nullopt;
  }
  if (!text.starts_with(prefix_)) {
    return absl::FailedPreconditionError(absl::StrCat(
        "token ", id, " changes \"", prefix_, "\" to \"", text, "\""));
  }
  text.erase(0, prefix_.size());
  const size_t fresh = ids_.size() - given_;
  ids_.erase(ids_.begin(), ids_.begin() + given_);
  prefix_ = Decode();
  given_ = fresh;
  return text;
}

}  // namespace cohort
