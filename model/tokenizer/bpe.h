// The model "BPE" of tokenizer.json: a piece of text to tokens.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/tokenizer/json_part.h"
#include "model/tokenizer/merges.h"
#include "model/tokenizer/vocabulary.h"
#include "model/tokenizer/word_cache.h"

namespace cohort {

// One per thread and model.
struct BpeScratch {
  WordCache words;
  MergeScratch merge;
  std::vector<int32_t> symbols;
};

// Thread-safe.
class Bpe {
 public:
  //   kInvalidArgument  a merge of unknown tokens, an impossible id, ...
  //   kUnimplemented    another model than BPE, or dropout: tokens would be
  //                     drawn at random
  static absl::StatusOr<Bpe> Parse(const JsonPart& model);

  const Vocabulary& vocabulary() const { return vocabulary_; }

  // From now on pieces are bytes that stand for their byte-level characters.
  // False when that is not the same for this model.
  bool TakeBytes();

  // Appends the tokens of `piece`.
  //   kInvalidArgument  naming a character without a token, where the model has
  //                     neither byte tokens nor an unknown token for it; the
  //                     tokenizers library drops such characters silently
  absl::Status Encode(std::string_view piece, BpeScratch* scratch,
                      std::vector<int32_t>* ids) const;

  // Of all that tokens are made by.
  std::string Fingerprint() const;

 private:
  Bpe() = default;

  absl::Status ParseOptions(const JsonPart& model);
  absl::Status ParseMerges(const JsonPart& model);
  absl::Status AddMerge(const std::string& left, const std::string& right);

  // As Encode, of a piece that is not cut any further.
  absl::Status EncodeWhole(std::string_view piece, BpeScratch* scratch,
                           std::vector<int32_t>* ids) const;

  void FindSymbols();
  // The token of one character, whose text is `text`; -1: none.
  int32_t SymbolOf(char32_t c, std::string_view text) const {
    return c < symbols_.size() ? symbols_[c] : vocabulary_.IdOf(text);
  }

  // Notes for every merge which two symbols meet in it.
  void FindJoints();
  // The token of the character, or byte, at `place`, which moves behind it; -1
  // where the vocabulary has none.
  int32_t NextSymbol(std::string_view piece, size_t* place) const;

  // The tokens of `piece` before any merge.
  absl::Status Symbols(std::string_view piece,
                       std::vector<int32_t>* symbols) const;

  Vocabulary vocabulary_;
  MergeTable merges_;
  std::vector<int32_t> results_;                    // By rank.
  std::vector<std::pair<int32_t, int32_t>> pairs_;  // By rank.
  int32_t unknown_ = -1;
  bool fuse_unknown_ = false;
  bool byte_fallback_ = false;
  bool ignore_merges_ = false;
  std::string prefix_;                   // Of all characters but the first.
  std::string suffix_;                   // Of the last.
  std::array<int32_t, 256> fallback_{};  // "<0x0A>"; -1: none.

  std::vector<int32_t> symbols_;  // By character, of the first 2^16.
  // Two symbols that no merge brings together part the text for good: a long
  // piece may be cut between them. Holds the pairs that some merge does bring
  // together; without a value where that is not known.
  std::optional<MergeTable> joints_;

  bool takes_bytes_ = false;
  std::array<int32_t, 256> byte_ids_{};
  // Whole tokens by their bytes, under ignore_merges.
  absl::flat_hash_map<std::string, int32_t> whole_;
};

}  // namespace cohort
