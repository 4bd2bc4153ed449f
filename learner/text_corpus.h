// The documents of supervised training, and their order.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "configs/config.h"
#include "model/tokenizer.h"

namespace cohort {

// Every epoch goes through the documents in an order of its own, drawn from the
// seed, the stage's name and the epoch. Documents of similar length meet in one
// step: chunks of about 512 are sorted by length and cut into steps, which are
// then shuffled. What a step reads depends on its number alone.
//
// Single-threaded.
class TextCorpus {
 public:
  // Reads and tokenizes config.corpus. Documents longer than `max_tokens` are
  // dropped and counted; those of fewer than two tokens have nothing to learn.
  //   kNotFound         no such file
  //   kInvalidArgument  a document has no tokens: "<file>: document 7: ...", or
  //                     none is left
  static absl::StatusOr<TextCorpus> Load(const LearnerConfig& config,
                                         const Tokenizer& tokenizer,
                                         int64_t max_tokens, uint64_t seed,
                                         const std::string& stage);

  TextCorpus(std::vector<std::vector<int32_t>> documents,
             int64_t documents_per_step, uint64_t seed, std::string stage);

  // The documents of step `step` (from 0) of the stage.
  std::vector<const std::vector<int32_t>*> DocumentsOfStep(int64_t step);

  int64_t size() const { return static_cast<int64_t>(documents_.size()); }
  int64_t dropped_too_long() const { return dropped_too_long_; }

 private:
  void BeginEpoch(int64_t epoch);

  std::vector<std::vector<int32_t>> documents_;
  int64_t per_step_;
  uint64_t seed_;
  std::string stage_;
  int64_t dropped_too_long_ = 0;
  int64_t epoch_ = -1;          // Of `order_`; -1 before the first.
  std::vector<int64_t> order_;  // Indices, step after step.
};

}  // namespace cohort
