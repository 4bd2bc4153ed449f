// Remembers what short words were encoded to; of fixed size.
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

// For words of up to `kLongestWord` bytes and `kMostIds` tokens. One slot per
// hash; a new word takes the place of the old one. Belongs to one thread.
template <size_t kLongestWord, size_t kMostIds, size_t kSlots>
class WordCache {
 public:
  WordCache() : slots_(kSlots) {}

  // Appends the ids of `word` if it is known.
  bool Find(std::string_view word, std::vector<int32_t>* ids) {
    if (word.size() > kLongestWord) return false;
    const uint64_t hash = XXH3_64bits(word.data(), word.size());
    const Slot& slot = slots_[hash % kSlots];
    if (slot.hash != hash || slot.length != word.size() ||
        std::memcmp(slot.word.data(), word.data(), word.size()) != 0) {
      return false;
    }
    ids->insert(ids->end(), slot.ids.begin(), slot.ids.begin() + slot.count);
    return true;
  }

  // False when `word` or `ids` is too long.
  bool Put(std::string_view word, absl::Span<const int32_t> ids) {
    if (word.size() > kLongestWord || ids.size() > kMostIds) return false;
    const uint64_t hash = XXH3_64bits(word.data(), word.size());
    Slot& slot = slots_[hash % kSlots];
    slot.hash = hash;
    slot.length = static_cast<uint8_t>(word.size());
    slot.count = static_cast<uint8_t>(ids.size());
    std::memcpy(slot.word.data(), word.data(), word.size());
    std::copy(ids.begin(), ids.end(), slot.ids.begin());
    return true;
  }

 private:
  struct alignas(64) Slot {
    uint64_t hash = 0;
    std::array<int32_t, kMostIds> ids{};
    uint8_t length = 0;  // 0: empty; no word is.
    uint8_t count = 0;
    std::array<char, kLongestWord> word{};
  };
  static_assert(kLongestWord <= 255 && kMostIds <= 255);

  std::vector<Slot> slots_;
};

// 2 MiB each: one cache line for a common word, four for a long one.
using ShortWordCache = WordCache<30, 6, (1 << 15)>;
using LongWordCache = WordCache<126, 30, (1 << 13)>;

}  // namespace cohort
