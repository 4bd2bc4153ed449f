// Which completions were met before: the same, or nearly the same, behind the
// same prompt text. Prompts that differ are never compared: "17*23" and
// "17*24" are close in letters alone.
//
// A completion is kept as 24 bytes: a hash of its bytes and a signature of 128
// bits, whose share of equal bits estimates the Jaccard similarity J of the
// sets of runs of 5 words: (1 + J) / 2 of them are equal.
//   one bit per minimum: Li and Koenig, arXiv:0910.3349
//   one permutation in bins, empty bins filled from the next:
//     Li, Owen, Zhang (2012); Shrivastava and Li, arXiv:1406.4784
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"

namespace cohort {

using MinHash = std::array<uint64_t, 2>;

MinHash MinHashOf(const std::vector<uint64_t>& words);

// The estimate of the Jaccard similarity, in [-1, 1].
double Similarity(const MinHash& a, const MinHash& b);

// One completion that was kept.
struct SeenCompletion {
  uint64_t prompt = 0;      // Hash of the prompt's text.
  uint32_t completion = 0;  // Hash of the completion's.
  MinHash words = {};
};

uint64_t HashBytes(std::string_view bytes);

// Single-threaded.
class SeenCompletions {
 public:
  enum class Match { kNew, kNear, kExact };

  // Compares with what was kept behind the same prompt. `similarity` above 1:
  // only exact matches count.
  Match Find(const SeenCompletion& completion, double similarity) const;

  // How many were kept behind a prompt, at most `most`.
  int64_t CountOf(uint64_t prompt, int64_t most) const;

  void Add(const SeenCompletion& completion);

  int64_t size() const { return static_cast<int64_t>(kept_.size()); }

 private:
  struct Kept {
    MinHash words;
    uint32_t completion;
    uint32_t next;  // The one before behind the same prompt, or kEnd.
  };
  static constexpr uint32_t kEnd = ~uint32_t{0};

  uint32_t LastOf(uint64_t prompt) const;

  absl::flat_hash_map<uint64_t, uint32_t> last_;  // By prompt, in `kept_`.
  std::deque<Kept> kept_;
};

}  // namespace cohort
