// Remembers what words were encoded to; of fixed size.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include "absl/types/span.h"
#include "xxhash.h"

namespace cohort {

// One slot per hash; a new word takes the place of the old one. Belongs to one
// thread.
class WordCache {
 public:
  static constexpr size_t kLongest = 126;  // Bytes of a word.

  WordCache() : short_(1 << 15), long_(1 << 13) {}

  // Appends the ids of `word` if it is known.
  bool Find(std::string_view word, std::vector<int32_t>* ids) const {
    if (word.size() > kLongest) return false;
    const uint64_t hash = HashOf(word);
    if (word.size() <= ShortSlot::kLongestWord) {
      const ShortSlot& slot = short_[hash % short_.size()];
      if (!slot.Holds(hash, word)) return false;
      if (slot.count != kElsewhere) {
        ids->insert(ids->end(), slot.ids.begin(),
                    slot.ids.begin() + slot.count);
        return true;
      }
    }
    const LongSlot& slot = long_[hash % long_.size()];
    if (!slot.Holds(hash, word)) return false;
    ids->insert(ids->end(), slot.ids.begin(), slot.ids.begin() + slot.count);
    return true;
  }

  // Does nothing when `word` or `ids` is too long.
  void Put(std::string_view word, absl::Span<const int32_t> ids) {
    if (word.size() > kLongest || ids.size() > LongSlot::kMostIds) return;
    const uint64_t hash = HashOf(word);
    if (word.size() <= ShortSlot::kLongestWord) {
      ShortSlot* const slot = &short_[hash % short_.size()];
      if (ids.size() <= ShortSlot::kMostIds) {
        slot->Set(hash, word, ids);
        return;
      }
      slot->Set(hash, word, {});
      slot->count = kElsewhere;
    }
    long_[hash % long_.size()].Set(hash, word, ids);
  }

 private:
  // The count of a short word that has too many ids for its slot.
  static constexpr uint8_t kElsewhere = 255;

  template <size_t kWordBytes, size_t kIds>
  struct alignas(64) Slot {
    static constexpr size_t kLongestWord = kWordBytes;
    static constexpr size_t kMostIds = kIds;
    static_assert(kWordBytes <= 255 && kIds < kElsewhere);

    uint64_t hash = 0;
    std::array<int32_t, kIds> ids{};
    uint8_t length = 0;  // 0: empty; no word is.
    uint8_t count = 0;
    std::array<char, kWordBytes> word{};

    bool Holds(uint64_t of, std::string_view text) const {
      return hash == of && length == text.size() &&
             std::memcmp(word.data(), text.data(), text.size()) == 0;
    }

    void Set(uint64_t of, std::string_view text,
             absl::Span<const int32_t> values) {
      hash = of;
      length = static_cast<uint8_t>(text.size());
      count = static_cast<uint8_t>(values.size());
      std::memcpy(word.data(), text.data(), text.size());
      std::copy(values.begin(), values.end(), ids.begin());
    }
  };
  // 2 MiB each: one cache line for a common word, four for a long one.
  using ShortSlot = Slot<30, 6>;
  using LongSlot = Slot<kLongest, 30>;

  static uint64_t HashOf(std::string_view word) {
    return XXH3_64bits(word.data(), word.size());
  }

  std::vector<ShortSlot> short_;
  std::vector<LongSlot> long_;
};

}  // namespace cohort
