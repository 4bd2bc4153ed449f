// A tokenizer as tokenizer.json describes it: added tokens, normalizer,
// pre-tokenizer, byte-pair model, post-processor; and back by the decoder.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "model/tokenizer.h"
#include "model/tokenizer/added_tokens.h"
#include "model/tokenizer/bpe.h"
#include "model/tokenizer/decoder.h"
#include "model/tokenizer/normalizer.h"
#include "model/tokenizer/post_processor.h"
#include "model/tokenizer/pre_tokenizer.h"

namespace cohort {

// Thread-safe.
class PipelineTokenizer : public Tokenizer {
 public:
  // `file`: all of tokenizer.json. Truncation and padding in it are left out,
  // as transformers does unless a caller asks for them.
  static absl::StatusOr<std::unique_ptr<Tokenizer>> Parse(const JsonPart& file,
                                                          std::string name);

  absl::StatusOr<std::vector<int32_t>> Encode(
      std::string_view text, bool add_special_tokens) const override;
  std::string Decode(absl::Span<const int32_t> ids,
                     bool skip_special_tokens) const override;
  int64_t vocab_size() const override;
  std::string hash() const override { return hash_; }

 private:
  // What encoding one text needs; kept from text to text.
  struct Scratch {
    BpeScratch bpe;
    Pieces pieces;
  };

  PipelineTokenizer(std::string name, Bpe bpe)
      : name_(std::move(name)), bpe_(std::move(bpe)) {}

  absl::Status ParseParts(const JsonPart& file);
  std::string MakeHash(const JsonPart& file) const;

  absl::Status EncodeText(std::string_view text, bool has_additions,
                          Scratch* scratch, std::vector<int32_t>* ids) const;
  absl::Status EncodePlain(NormalizedText text, Scratch* scratch,
                           std::vector<int32_t>* ids) const;
  absl::Status EncodePieces(std::string_view text, bool at_start,
                            Scratch* scratch, std::vector<int32_t>* ids) const;

  std::unique_ptr<Scratch> TakeScratch() const;
  void GiveBack(std::unique_ptr<Scratch> scratch) const;

  const std::string name_;  // For errors.
  Bpe bpe_;
  AddedTokens added_tokens_;
  std::unique_ptr<Normalizer> normalizer_;  // May be null.
  PreTokenizer pre_tokenizer_;
  PostProcessor post_processor_;
  std::unique_ptr<Decoder> decoder_;  // Null: texts are joined by spaces.
  std::string hash_;

  mutable absl::Mutex mu_;
  // As many as there were threads encoding at the same time.
  mutable std::vector<std::unique_ptr<Scratch>> free_scratch_
      ABSL_GUARDED_BY(mu_);
};

}  // namespace cohort
