#include "model/tokenizer/pipeline.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "model/tokenizer/unicode.h"
#include "model/utf8.h"
#include "proto/status.h"
#include "xxhash.h"

namespace cohort {
namespace {

constexpr size_t kLongestTextBytes = size_t{1} << 27;

}  // namespace

absl::StatusOr<std::unique_ptr<Tokenizer>> PipelineTokenizer::Parse(
    const JsonPart& file, std::string name) {
  COHORT_ASSIGN_OR_RETURN(const std::string version,
                          file.Text("version", "1.0"));
  if (version != "1.0") {
    return file.NotBuilt(absl::StrCat("version ", version));
  }
  COHORT_ASSIGN_OR_RETURN(const JsonPart model, file.Member("model"));
  COHORT_ASSIGN_OR_RETURN(Bpe bpe, Bpe::Parse(model));
  std::unique_ptr<PipelineTokenizer> tokenizer(
      new PipelineTokenizer(std::move(name), std::move(bpe)));
  COHORT_RETURN_IF_ERROR(tokenizer->ParseParts(file));
  if (tokenizer->vocab_size() == 0) {
    return file.Wrong("the vocabulary is empty");
  }
  tokenizer->hash_ = tokenizer->MakeHash(file);
  return tokenizer;
}

absl::Status PipelineTokenizer::ParseParts(const JsonPart& file) {
  if (file.Has("normalizer")) {
    COHORT_ASSIGN_OR_RETURN(const JsonPart part, file.Member("normalizer"));
    COHORT_ASSIGN_OR_RETURN(normalizer_, Normalizer::Parse(part));
  }
  if (file.Has("pre_tokenizer")) {
    COHORT_ASSIGN_OR_RETURN(const JsonPart part, file.Member("pre_tokenizer"));
    COHORT_ASSIGN_OR_RETURN(pre_tokenizer_, PreTokenizer::Parse(part));
  }
  if (file.Has("post_processor")) {
    COHORT_ASSIGN_OR_RETURN(const JsonPart part, file.Member("post_processor"));
    COHORT_ASSIGN_OR_RETURN(post_processor_, PostProcessor::Parse(part));
  }
  if (file.Has("decoder")) {
    COHORT_ASSIGN_OR_RETURN(const JsonPart part, file.Member("decoder"));
    COHORT_ASSIGN_OR_RETURN(decoder_, Decoder::Parse(part));
  }
  COHORT_ASSIGN_OR_RETURN(
      added_tokens_,
      AddedTokens::Parse(file, bpe_.vocabulary(), normalizer_.get()));
  if (pre_tokenizer_.EndsInByteCharacters() && bpe_.TakeBytes()) {
    pre_tokenizer_.LeaveBytes();
  }
  return absl::OkStatus();
}

std::string PipelineTokenizer::MakeHash(const JsonPart& file) const {
  std::string listing =
      absl::StrCat(bpe_.Fingerprint(), "\n", added_tokens_.Fingerprint());
  for (const char* const part :
       {"normalizer", "pre_tokenizer", "post_processor", "decoder"}) {
    if (file.Has(part)) absl::StrAppend(&listing, file.value()[part].dump());
    listing += '\n';
  }
  const XXH128_hash_t hash = XXH3_128bits(listing.data(), listing.size());
  return absl::StrFormat("%016x%016x", hash.high64, hash.low64);
}

std::unique_ptr<PipelineTokenizer::Scratch> PipelineTokenizer::TakeScratch()
    const {
  absl::MutexLock lock(&mu_);
  if (free_scratch_.empty()) return std::make_unique<Scratch>();
  std::unique_ptr<Scratch> scratch = std::move(free_scratch_.back());
  free_scratch_.pop_back();
  return scratch;
}

void PipelineTokenizer::GiveBack(std::unique_ptr<Scratch> scratch) const {
  absl::MutexLock lock(&mu_);
  free_scratch_.push_back(std::move(scratch));
}

absl::StatusOr<std::vector<int32_t>> PipelineTokenizer::Encode(
    std::string_view text, bool add_special_tokens) const {
  if (text.size() > kLongestTextBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat(name_, ": a text of ", text.size(), " bytes, at most ",
                     kLongestTextBytes));
  }
  const TextCheck check = CheckText(text);
  if (check.valid_bytes < text.size()) {
    return absl::InvalidArgumentError(absl::StrCat(
        name_, ": the text is not UTF-8 at \"",
        absl::CHexEscape(std::string(text.substr(check.valid_bytes, 8))),
        "\""));
  }
  std::unique_ptr<Scratch> scratch = TakeScratch();
  std::vector<int32_t> ids;
  if (add_special_tokens) ids = post_processor_.before;
  const absl::Status encoded =
      EncodeText(text, check.has_additions, scratch.get(), &ids);
  GiveBack(std::move(scratch));
  if (!encoded.ok()) {
    return absl::Status(encoded.code(),
                        absl::StrCat(name_, ": ", encoded.message()));
  }
  if (add_special_tokens) {
    ids.insert(ids.end(), post_processor_.behind.begin(),
               post_processor_.behind.end());
  }
  return ids;
}

absl::Status PipelineTokenizer::EncodeText(std::string_view text,
                                           bool has_additions, Scratch* scratch,
                                           std::vector<int32_t>* ids) const {
  return added_tokens_.in_text().Split(
      text,
      [&](size_t begin, size_t end) {
        return EncodePlain({.text = text.substr(begin, end - begin),
                            .at_start = begin == 0,
                            .has_additions = has_additions,
                            .most_bytes = MostRewrittenBytes(end - begin),
                            .storage = {}},
                           scratch, ids);
      },
      [&](int32_t id) { ids->push_back(id); });
}

absl::Status PipelineTokenizer::EncodePlain(NormalizedText text,
                                            Scratch* scratch,
                                            std::vector<int32_t>* ids) const {
  scratch->pieces.has_additions = text.has_additions;
  scratch->pieces.most_bytes = text.most_bytes;
  if (normalizer_ != nullptr) {
    COHORT_RETURN_IF_ERROR(normalizer_->Apply(&scratch->pieces.regex, &text));
  }
  return added_tokens_.in_normalized().Split(
      text.text,
      [&](size_t begin, size_t end) {
        return EncodePieces(text.text.substr(begin, end - begin),
                            text.at_start && begin == 0, scratch, ids);
      },
      [&](int32_t id) { ids->push_back(id); });
}

absl::Status PipelineTokenizer::EncodePieces(std::string_view text,
                                             bool at_start, Scratch* scratch,
                                             std::vector<int32_t>* ids) const {
  Pieces& pieces = scratch->pieces;
  pieces.text = text;
  pieces.spans.assign(1, {0, text.size()});
  pieces.first_at_start = at_start;
  COHORT_RETURN_IF_ERROR(pre_tokenizer_.Apply(&pieces));
  for (size_t i = 0; i < pieces.spans.size(); ++i) {
    COHORT_RETURN_IF_ERROR(bpe_.Encode(pieces.PieceAt(i), &scratch->bpe, ids));
  }
  return absl::OkStatus();
}

std::string PipelineTokenizer::Decode(absl::Span<const int32_t> ids,
                                      bool skip_special_tokens) const {
  std::vector<std::string> texts;
  texts.reserve(ids.size());
  size_t bytes = 0;
  for (const int32_t id : ids) {
    auto text = added_tokens_.TextOf(id);
    if (!text) text = bpe_.vocabulary().TextOf(id);
    if (!text || (skip_special_tokens && added_tokens_.IsSpecial(*text))) {
      continue;
    }
    texts.emplace_back(*text);
    bytes += text->size();
  }
  if (decoder_ == nullptr) return absl::StrJoin(texts, " ");
  // What gives up leaves the texts as far as they are.
  decoder_->Apply(MostRewrittenBytes(bytes), &texts).IgnoreError();
  return absl::StrJoin(texts, "");
}

int64_t PipelineTokenizer::vocab_size() const {
  return std::max(bpe_.vocabulary().end_id(), added_tokens_.end_id());
}

}  // namespace cohort
