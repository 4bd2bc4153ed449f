#include "model/tokenizer/merges.h"

#include <algorithm>
#include <bit>

#include "proto/check.h"

namespace cohort {
namespace {

// Up to here looking at every pair is faster than keeping a tree of them.
constexpr size_t kLongestScanned = 24;

constexpr uint64_t kNoPair = std::numeric_limits<uint64_t>::max();

// Rank above, id below: the smallest is the first to merge.
uint64_t Packed(Merge merge) {
  return static_cast<uint64_t>(merge.rank) << 32 |
         static_cast<uint32_t>(merge.id);
}

void MergeByScanning(const MergeTable& table, MergeScratch* scratch,
                     std::vector<int32_t>* ids) {
  std::vector<uint64_t>& pairs = scratch->pairs;  // [i]: of ids i and i + 1.
  pairs.clear();
  for (size_t i = 0; i + 1 < ids->size(); ++i) {
    pairs.push_back(Packed(table.Find((*ids)[i], (*ids)[i + 1])));
  }
  while (!pairs.empty()) {
    const auto best = std::min_element(pairs.begin(), pairs.end());
    if (*best == kNoPair) return;
    const size_t i = best - pairs.begin();
    (*ids)[i] = static_cast<int32_t>(static_cast<uint32_t>(*best));
    ids->erase(ids->begin() + i + 1);
    pairs.erase(best);
    if (i > 0) pairs[i - 1] = Packed(table.Find((*ids)[i - 1], (*ids)[i]));
    if (i < pairs.size()) {
      pairs[i] = Packed(table.Find((*ids)[i], (*ids)[i + 1]));
    }
  }
}

// The word as a linked list, with a tree over its pairs whose root is the first
// to merge.
class MergeTree {
 public:
  MergeTree(const MergeTable& table, absl::Span<const int32_t> results,
            MergeScratch* scratch, std::vector<int32_t>* ids)
      : table_(table),
        results_(results),
        scratch_(*scratch),
        ids_(*ids),
        leaves_(std::bit_ceil(ids->size())) {
    const auto count = static_cast<int32_t>(ids_.size());
    scratch_.previous.resize(ids_.size());
    scratch_.next.resize(ids_.size());
    scratch_.pairs.assign(2 * leaves_, kNoPair);
    for (int32_t i = 0; i < count; ++i) {
      scratch_.previous[i] = i - 1;
      scratch_.next[i] = i + 1 < count ? i + 1 : -1;
      scratch_.pairs[leaves_ + i] = PairAt(i);
    }
    for (size_t node = leaves_ - 1; node > 0; --node) {
      scratch_.pairs[node] = FirstBelow(node);
    }
  }

  void Run() {
    for (uint64_t first = scratch_.pairs[1]; first != kNoPair;
         first = scratch_.pairs[1]) {
      const auto place = static_cast<int32_t>(static_cast<uint32_t>(first));
      const int32_t right = scratch_.next[place];
      const int32_t after = scratch_.next[right];
      ids_[place] = results_[first >> 32];
      ids_[right] = -1;
      scratch_.next[place] = after;
      if (after >= 0) scratch_.previous[after] = place;
      Set(right, kNoPair);
      Set(place, PairAt(place));
      const int32_t before = scratch_.previous[place];
      if (before >= 0) Set(before, PairAt(before));
    }
    std::erase(ids_, -1);
  }

 private:
  // Rank above, place below: the leftmost of equal ranks is the smallest.
  uint64_t PairAt(int32_t place) const {
    const int32_t right = scratch_.next[place];
    if (right < 0) return kNoPair;
    const uint32_t rank = table_.Find(ids_[place], ids_[right]).rank;
    if (rank == Merge::kNone) return kNoPair;
    return static_cast<uint64_t>(rank) << 32 | static_cast<uint32_t>(place);
  }

  uint64_t FirstBelow(size_t node) const {
    return std::min(scratch_.pairs[2 * node], scratch_.pairs[2 * node + 1]);
  }

  void Set(int32_t place, uint64_t pair) {
    size_t node = leaves_ + static_cast<size_t>(place);
    scratch_.pairs[node] = pair;
    while (node > 1) {
      node /= 2;
      const uint64_t first = FirstBelow(node);
      if (scratch_.pairs[node] == first) return;
      scratch_.pairs[node] = first;
    }
  }

  const MergeTable& table_;
  absl::Span<const int32_t> results_;
  MergeScratch& scratch_;
  std::vector<int32_t>& ids_;  // -1 where merged into the one before.
  const size_t leaves_;
};

}  // namespace

MergeTable::MergeTable(size_t count) {
  const size_t slots = std::bit_ceil(std::max<size_t>(4, 2 * count));
  slots_.resize(slots);
  mask_ = slots - 1;
  shift_ = 64 - std::countr_zero(slots);
  const size_t bits = std::bit_ceil(std::max<size_t>(64, 8 * count));
  bits_.resize(bits / 64);
  bit_shift_ = 64 - std::countr_zero(bits);
}

void MergeTable::Set(int32_t left, int32_t right, Merge merge) {
  const uint64_t key = KeyOf(left, right);
  const uint64_t hash = HashOf(key);
  const uint64_t bit = hash >> bit_shift_;
  bits_[bit / 64] |= uint64_t{1} << (bit % 64);
  size_t slot = hash >> shift_;
  while (slots_[slot].key != kEmpty && slots_[slot].key != key) {
    slot = (slot + 1) & mask_;
  }
  slots_[slot] = {key, merge};
}

void ApplyMerges(const MergeTable& table, absl::Span<const int32_t> results,
                 MergeScratch* scratch, std::vector<int32_t>* ids) {
  if (ids->size() <= kLongestScanned) {
    MergeByScanning(table, scratch, ids);
  } else {
    MergeTree(table, results, scratch, ids).Run();
  }
}

}  // namespace cohort
