// The merges of byte-pair encoding and the two ways to apply them.
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include "absl/types/span.h"

namespace cohort {

// What two neighbours become. Ordered by rank: the lowest merges first.
struct Merge {
  static constexpr uint32_t kNone = std::numeric_limits<uint32_t>::max();

  uint32_t rank = kNone;
  int32_t id = -1;
};

// (left, right) -> Merge: a hash table with open addressing, at most half full.
// Most neighbours do not merge, which a table of bits says without reaching
// into memory that no cache holds.
class MergeTable {
 public:
  MergeTable() : MergeTable(0) {}

  // For up to `count` pairs.
  explicit MergeTable(size_t count);

  // A later rank for the same pair takes the place of the earlier one.
  void Set(int32_t left, int32_t right, Merge merge);

  Merge Find(int32_t left, int32_t right) const {
    const uint64_t key = KeyOf(left, right);
    const uint64_t hash = HashOf(key);
    if (!MayHold(hash)) return {};
    size_t slot = hash >> shift_;
    while (slots_[slot].key != key) {
      if (slots_[slot].key == kEmpty) return {};
      slot = (slot + 1) & mask_;
    }
    return slots_[slot].merge;
  }

 private:
  static constexpr uint64_t kEmpty = std::numeric_limits<uint64_t>::max();

  struct Slot {
    uint64_t key = kEmpty;
    Merge merge;
  };

  static uint64_t KeyOf(int32_t left, int32_t right) {
    return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 |
           static_cast<uint32_t>(right);
  }
  // Its upper bits are the good ones.
  static uint64_t HashOf(uint64_t key) {
    key *= 0x9E3779B97F4A7C15u;
    return (key ^ key >> 32) * 0xD6E8FEB86659FD93u;
  }
  bool MayHold(uint64_t hash) const {
    const uint64_t bit = hash >> bit_shift_;
    return bits_[bit / 64] >> (bit % 64) & 1;
  }

  int shift_;
  int bit_shift_;
  size_t mask_;
  std::vector<Slot> slots_;
  std::vector<uint64_t> bits_;  // Set for every hash that is held.
};

// Reused from word to word.
struct MergeScratch {
  std::vector<int32_t> previous;
  std::vector<int32_t> next;
  std::vector<uint64_t> pairs;
};

// Merges `ids` in place until no neighbours merge: always the pair of the
// lowest rank, of equal ones the leftmost. `results`: by rank, the id. Takes
// O(n log n) for long words.
void ApplyMerges(const MergeTable& table, absl::Span<const int32_t> results,
                 MergeScratch* scratch, std::vector<int32_t>* ids);

}  // namespace cohort
