#include "rollout/drafter.h"

#include <torch/types.h>

#include <algorithm>
#include <utility>

#include "proto/check.h"

namespace cohort {
namespace {

// Token `place` of prompt and completion.
int64_t TokenAt(const Sequence& sequence, int64_t place) {
  const int64_t prompt = sequence.prompt->PromptTokens();
  return place < prompt
             ? sequence.prompt->lease.prompt().tokens(static_cast<int>(place))
             : sequence.trajectory.tokens(static_cast<int>(place - prompt));
}

// The rows of the head, as they are gathered.
class Rows {
 public:
  explicit Rows(int64_t block_tokens) : block_tokens_(block_tokens) {}

  bool empty() const { return tokens_.empty(); }
  int64_t last() const { return static_cast<int64_t>(tokens_.size()) - 1; }

  void Add(const Sequence& sequence, int64_t position,
           const at::Tensor& hidden) {
    hidden_.push_back(hidden);
    for (int64_t i = position; i < position + hidden.size(0); ++i) {
      tokens_.push_back(TokenAt(sequence, i + 1));
      positions_.push_back(i);
      sequences_.push_back(&sequence);
      longest_ = std::max(longest_, i + 1);
    }
  }

  AheadRows ToTensors(const std::vector<int64_t>& wanted,
                      at::Device device) const {
    return {.hidden = at::cat(hidden_),
            .tokens = at::tensor(tokens_, at::kLong).to(device),
            .positions = at::tensor(positions_, at::kLong).to(device),
            .slots = Slots().to(device),
            .wanted = at::tensor(wanted, at::kLong).to(device)};
  }

 private:
  // Column j: where token j + 1 lies.
  at::Tensor Slots() const {
    const auto count = static_cast<int64_t>(tokens_.size());
    const at::Tensor slots = at::zeros({count, longest_}, at::kInt);
    int32_t* row = slots.mutable_data_ptr<int32_t>();
    for (size_t n = 0; n < tokens_.size(); ++n, row += longest_) {
      const std::vector<int32_t>& blocks = sequences_[n]->table.blocks;
      for (int64_t j = 0; j <= positions_[n]; ++j) {
        const auto block = static_cast<size_t>((j + 1) / block_tokens_);
        row[j] = static_cast<int32_t>(blocks[block] * block_tokens_ +
                                      (j + 1) % block_tokens_);
      }
    }
    return slots;
  }

  int64_t block_tokens_;
  int64_t longest_ = 0;
  std::vector<at::Tensor> hidden_;
  std::vector<int64_t> tokens_;
  std::vector<int64_t> positions_;
  std::vector<const Sequence*> sequences_;
};

}  // namespace

void Drafter::Note(const Sequence* sequence, int64_t position,
                   at::Tensor hidden) {
  COHORT_CHECK(position + hidden.size(0) == sequence->CachedTokens());
  noted_[sequence] = {.position = position, .hidden = std::move(hidden)};
}

std::vector<int32_t> Drafter::Guess(const std::vector<Sequence*>& sequences) {
  std::vector<int32_t> guesses(sequences.size(), kNoGuess);
  Rows rows(cache_->block_tokens());
  std::vector<int64_t> wanted;
  std::vector<Draw> draws;
  std::vector<int32_t*> guess_of;  // Of each draw.
  for (size_t i = 0; i < sequences.size(); ++i) {
    Sequence* const sequence = sequences[i];
    if (!sequence->CanUseGuess()) continue;
    const Noted& noted = noted_.at(sequence);
    rows.Add(*sequence, noted.position, noted.hidden);
    if (!sequence->HasRoomForGuess()) continue;
    draws.push_back(
        {.sequence = sequence, .row = static_cast<int64_t>(wanted.size())});
    wanted.push_back(rows.last());
    guess_of.push_back(&guesses[i]);
  }
  if (rows.empty()) return guesses;
  const at::Tensor logits =
      model_->DecodeAhead(rows.ToTensors(wanted, model_->device()), cache_);
  const std::vector<absl::StatusOr<SampledToken>> sampled =
      sampler_->Sample(logits, draws);
  for (size_t i = 0; i < draws.size(); ++i) {
    // What the head says is only ever checked: nonsense is a bad guess.
    *guess_of[i] = sampled[i].ok() ? sampled[i]->token : 0;
  }
  return guesses;
}

}  // namespace cohort
