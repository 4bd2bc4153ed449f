#include "model/tokenizer/merges.h"

#include <algorithm>
#include <bit>
#include <functional>

#include "proto/check.h"

namespace cohort {
namespace {

// Up to here looking at every pair is faster than keeping them in order.
constexpr size_t kLongestScanned = 80;

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

// The word as a linked list, with a queue of (rank, place) over its pairs.
class MergeQueue {
 public:
  MergeQueue(const MergeTable& table, MergeScratch* scratch,
             std::vector<int32_t>* ids)
      : table_(table), scratch_(*scratch), ids_(*ids) {
    const auto count = static_cast<int32_t>(ids_.size());
    scratch_.previous.resize(count);
    scratch_.next.resize(count);
    scratch_.queue.clear();
    for (int32_t i = 0; i < count; ++i) {
      scratch_.previous[i] = i - 1;
      scratch_.next[i] = i + 1 < count ? i + 1 : -1;
    }
    for (int32_t i = 0; i + 1 < count; ++i) {
      const Merge merge = table_.Find(ids_[i], ids_[i + 1]);
      if (merge.rank != Merge::kNone) {
        scratch_.queue.push_back(Entry(merge.rank, i));
      }
    }
    std::make_heap(scratch_.queue.begin(), scratch_.queue.end(),
                   std::greater<>());
  }

  void Run(absl::Span<const int32_t> results) {
    while (!scratch_.queue.empty()) {
      std::pop_heap(scratch_.queue.begin(), scratch_.queue.end(),
                    std::greater<>());
      const uint64_t entry = scratch_.queue.back();
      scratch_.queue.pop_back();
      const auto place = static_cast<int32_t>(static_cast<uint32_t>(entry));
      const int32_t right = scratch_.next[place];
      if (ids_[place] < 0 || right < 0) continue;
      // The pair may have merged otherwise since it was queued.
      const int32_t merged = results[entry >> 32];
      if (table_.Find(ids_[place], ids_[right]).id != merged) continue;
      ids_[place] = merged;
      ids_[right] = -1;
      const int32_t after = scratch_.next[right];
      scratch_.next[place] = after;
      if (after >= 0) scratch_.previous[after] = place;
      Push(scratch_.previous[place]);
      Push(place);
    }
    std::erase(ids_, -1);
  }

 private:
  static uint64_t Entry(uint32_t rank, int32_t place) {
    return static_cast<uint64_t>(rank) << 32 | static_cast<uint32_t>(place);
  }

  void Push(int32_t place) {
    if (place < 0 || scratch_.next[place] < 0) return;
    const Merge merge = table_.Find(ids_[place], ids_[scratch_.next[place]]);
    if (merge.rank == Merge::kNone) return;
    scratch_.queue.push_back(Entry(merge.rank, place));
    std::push_heap(scratch_.queue.begin(), scratch_.queue.end(),
                   std::greater<>());
  }

  const MergeTable& table_;
  MergeScratch& scratch_;
  std::vector<int32_t>& ids_;  // -1 where merged into the one before.
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
    MergeQueue(table, scratch, ids).Run(results);
  }
}

}  // namespace cohort
