// The texts of a model's tokens, both ways.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "model/tokenizer/json_part.h"

namespace cohort {

// Ids are below this, so that a table over them is always small.
inline constexpr int64_t kMaxTokenId = int64_t{1} << 22;

class Vocabulary {
 public:
  // From an object of texts and ids.
  //   kInvalidArgument  an impossible id, or one id for two texts
  static absl::StatusOr<Vocabulary> Parse(const JsonPart& object);

  Vocabulary() = default;
  Vocabulary(Vocabulary&&) = default;
  Vocabulary& operator=(Vocabulary&&) = default;

  // How many tokens there are; ids may have gaps.
  int64_t size() const { return static_cast<int64_t>(ids_.size()); }

  // One more than the largest id.
  int64_t end_id() const { return static_cast<int64_t>(texts_.size()); }

  // -1 where there is none.
  int32_t IdOf(std::string_view text) const {
    const auto it = ids_.find(text);
    return it == ids_.end() ? -1 : it->second;
  }

  std::optional<std::string_view> TextOf(int64_t id) const {
    if (id < 0 || id >= end_id() || !texts_[id]) return std::nullopt;
    return *texts_[id];
  }

 private:
  std::vector<std::optional<std::string>> texts_;  // By id.
  // The keys are those of texts_, which does not change any more.
  absl::flat_hash_map<std::string_view, int32_t> ids_;
};

}  // namespace cohort
