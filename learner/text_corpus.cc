#include "learner/text_corpus.h"

#include <algorithm>
#include <numeric>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/check.h"
#include "proto/rows.h"
#include "proto/status.h"

namespace cohort {
namespace {

constexpr int64_t kChunkDocuments = 512;

// A generator for one epoch. std::mt19937_64 and std::seed_seq are the same
// everywhere; std::shuffle and the distributions are not.
std::mt19937_64 GeneratorOf(uint64_t seed, const std::string& stage,
                            int64_t epoch) {
  std::vector<uint32_t> key = {static_cast<uint32_t>(seed),
                               static_cast<uint32_t>(seed >> 32),
                               static_cast<uint32_t>(epoch)};
  for (const char letter : stage) {
    key.push_back(static_cast<unsigned char>(letter));
  }
  std::seed_seq sequence(key.begin(), key.end());
  return std::mt19937_64(sequence);
}

template <typename T>
void Shuffle(std::mt19937_64* generator, std::vector<T>* values) {
  for (size_t i = values->size(); i > 1; --i) {
    std::swap((*values)[i - 1], (*values)[(*generator)() % i]);
  }
}

}  // namespace

absl::StatusOr<TextCorpus> TextCorpus::Load(const LearnerConfig& config,
                                            const Tokenizer& tokenizer,
                                            int64_t max_tokens, uint64_t seed,
                                            const std::string& stage) {
  COHORT_ASSIGN_OR_RETURN(const std::vector<std::string> texts,
                          ReadTexts(config.corpus, config.corpus_field));
  std::vector<std::vector<int32_t>> documents;
  int64_t too_long = 0;
  for (size_t i = 0; i < texts.size(); ++i) {
    absl::StatusOr<std::vector<int32_t>> tokens =
        tokenizer.Encode(texts[i], /*add_special_tokens=*/true);
    if (!tokens.ok()) {
      return absl::Status(tokens.status().code(),
                          absl::StrCat(config.corpus, ": document ", i + 1,
                                       ": ", tokens.status().message()));
    }
    if (static_cast<int64_t>(tokens->size()) > max_tokens) {
      ++too_long;
    } else if (tokens->size() >= 2) {
      documents.push_back(*std::move(tokens));
    }
  }
  if (documents.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(config.corpus, ": no document of 2 to ", max_tokens,
                     " tokens (the model's positions)"));
  }
  TextCorpus corpus(std::move(documents), config.documents_per_step, seed,
                    stage);
  corpus.dropped_too_long_ = too_long;
  return corpus;
}

TextCorpus::TextCorpus(std::vector<std::vector<int32_t>> documents,
                       int64_t documents_per_step, uint64_t seed,
                       std::string stage)
    : documents_(std::move(documents)),
      per_step_(std::min(documents_per_step,
                         static_cast<int64_t>(documents_.size()))),
      seed_(seed),
      stage_(std::move(stage)) {
  COHORT_CHECK(per_step_ > 0);
}

void TextCorpus::BeginEpoch(int64_t epoch) {
  std::mt19937_64 generator = GeneratorOf(seed_, stage_, epoch);
  std::vector<int64_t> shuffled(documents_.size());
  std::iota(shuffled.begin(), shuffled.end(), 0);
  Shuffle(&generator, &shuffled);
  // A rest that fills no step is left out; it is another one in every epoch.
  shuffled.resize(size() / per_step_ * per_step_);

  const int64_t chunk =
      std::max<int64_t>(1, kChunkDocuments / per_step_) * per_step_;
  std::vector<std::vector<int64_t>> steps;
  for (int64_t begin = 0; begin < static_cast<int64_t>(shuffled.size());
       begin += chunk) {
    const auto first = shuffled.begin() + begin;
    const auto last =
        shuffled.begin() +
        std::min(begin + chunk, static_cast<int64_t>(shuffled.size()));
    std::stable_sort(first, last, [this](int64_t a, int64_t b) {
      return documents_[a].size() < documents_[b].size();
    });
    for (auto it = first; it != last; it += per_step_) {
      steps.emplace_back(it, it + per_step_);
    }
  }
  Shuffle(&generator, &steps);
  order_.clear();
  for (const std::vector<int64_t>& step : steps) {
    order_.insert(order_.end(), step.begin(), step.end());
  }
  epoch_ = epoch;
}

std::vector<const std::vector<int32_t>*> TextCorpus::DocumentsOfStep(
    int64_t step) {
  const int64_t steps_per_epoch = size() / per_step_;
  if (step / steps_per_epoch != epoch_) BeginEpoch(step / steps_per_epoch);
  const int64_t begin = step % steps_per_epoch * per_step_;
  std::vector<const std::vector<int32_t>*> documents;
  for (int64_t i = begin; i < begin + per_step_; ++i) {
    documents.push_back(&documents_[order_[i]]);
  }
  return documents;
}

}  // namespace cohort
