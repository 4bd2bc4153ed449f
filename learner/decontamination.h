// Texts of tests that must not be learned from.
//
// Source: DeepSeekMath (arXiv:2402.03300), section 2.1: a text is left out
// where a run of 10 words is one of a benchmark's; benchmark texts of fewer
// words, but at least 3, are looked for whole.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"

namespace cohort {

// Immutable once loaded.
class Decontamination {
 public:
  Decontamination() = default;

  // Reads all texts of the files' rows (.jsonl, .parquet) or lines (.txt),
  // those inside lists and objects too. Of a row's texts that are shorter than
  // `ngram` words, only prompts count: prompt, question, problem, text, input,
  // instruction, and the content of messages. An answer of three words may
  // stand anywhere.
  //   kNotFound         a file is missing
  //   kInvalidArgument  a row is no JSON object; a file without any such text
  static absl::StatusOr<Decontamination> Load(
      const std::vector<std::string>& files, int ngram);

  // `words` as AppendWords gives them.
  bool Holds(const std::vector<uint64_t>& words) const;

  bool empty() const { return runs_.empty(); }
  int64_t size() const { return static_cast<int64_t>(runs_.size()); }

 private:
  // False where the text is too short to look for.
  bool AddText(const std::string& text, bool prompt);
  bool MayHold(uint64_t run) const;

  size_t ngram_ = 0;
  std::set<size_t> lengths_;  // Of the runs.
  absl::flat_hash_set<uint64_t> runs_;
  std::vector<uint64_t> filter_;  // One bit per run, by its low bits.
  uint64_t filter_mask_ = 0;
};

}  // namespace cohort
