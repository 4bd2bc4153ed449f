#include "learner/near_duplicates.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <bit>
#include <limits>

#include "learner/export_text.h"
#include "proto/check.h"

namespace cohort {
namespace {

constexpr size_t kRunWords = 5;
constexpr size_t kBins = 128;
constexpr uint64_t kEmpty = std::numeric_limits<uint64_t>::max();

uint64_t Mix(uint64_t x) {
  x ^= x >> 32;
  x *= 0xd6e8feb86659fd93;
  x ^= x >> 32;
  x *= 0xd6e8feb86659fd93;
  return x ^ (x >> 32);
}

}  // namespace

MinHash MinHashOf(const std::vector<uint64_t>& words) {
  std::array<uint64_t, kBins> least;
  least.fill(kEmpty);
  const auto put = [&least](uint64_t run) {
    const uint64_t hash = Mix(run);
    uint64_t& bin = least[hash >> 57];  // 128 bins.
    bin = std::min(bin, hash);
  };
  // A text shorter than a run is one run.
  ForEachRun(words, std::min(kRunWords, words.size()), put);
  MinHash bits = {};
  if (words.empty()) return bits;
  // An empty bin takes the next one's minimum; its own number goes into the
  // bit, or one minimum would stand for many equal bits.
  uint64_t next = kEmpty;
  for (size_t i = 0; next == kEmpty; ++i) next = least[i];
  for (size_t i = kBins; i-- > 0;) {
    if (least[i] != kEmpty) next = least[i];
    const uint64_t bit = Mix(next + i * 0x9e3779b97f4a7c15) & 1;
    bits[i / 64] |= bit << (i % 64);
  }
  return bits;
}

double Similarity(const MinHash& a, const MinHash& b) {
  const int different = std::popcount(a[0] ^ b[0]) + std::popcount(a[1] ^ b[1]);
  return 1.0 - 2.0 * different / static_cast<double>(kBins);
}

uint64_t HashBytes(std::string_view bytes) {
  return XXH3_64bits(bytes.data(), bytes.size());
}

uint32_t SeenCompletions::LastOf(uint64_t prompt) const {
  const auto last = last_.find(prompt);
  return last == last_.end() ? kEnd : last->second;
}

SeenCompletions::Match SeenCompletions::Find(const SeenCompletion& completion,
                                             double similarity) const {
  bool near = false;
  for (uint32_t at = LastOf(completion.prompt); at != kEnd;
       at = kept_[at].next) {
    const Kept& kept = kept_[at];
    if (kept.completion == completion.completion) return Match::kExact;
    near = near || (similarity <= 1.0 &&
                    Similarity(kept.words, completion.words) >= similarity);
  }
  return near ? Match::kNear : Match::kNew;
}

int64_t SeenCompletions::CountOf(uint64_t prompt, int64_t most) const {
  int64_t count = 0;
  for (uint32_t at = LastOf(prompt); at != kEnd && count < most;
       at = kept_[at].next) {
    ++count;
  }
  return count;
}

void SeenCompletions::Add(const SeenCompletion& completion) {
  COHORT_CHECK(kept_.size() < kEnd);
  const uint32_t number = static_cast<uint32_t>(kept_.size());
  const auto [last, is_new] = last_.emplace(completion.prompt, kEnd);
  kept_.push_back({completion.words, completion.completion, last->second});
  last->second = number;
}

}  // namespace cohort
