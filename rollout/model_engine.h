// The engine over the real model: schedule, run, sample.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <unordered_map>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "model/kv_cache.h"
#include "model/tokenizer.h"
#include "model/transformer.h"
#include "rollout/drafter.h"
#include "rollout/engine.h"
#include "rollout/row_sampler.h"
#include "rollout/scheduler.h"
#include "rollout/stop_text.h"
#include "rollout/weight_receiver.h"

namespace cohort {

struct ModelEngineSettings {
  int64_t max_sequences = 256;
  int64_t block_tokens = 16;
  int64_t prefill_tokens = 8192;
  // Upper bound of the cache; never less than one sequence over all of
  // the model's positions needs.
  int64_t cache_bytes = int64_t{2} << 30;
  // Guess next tokens and check two to a step (rollout/drafter.h).
  bool speculative = false;
};

// Names and shapes of the weights that a receiver must get for `model`.
std::vector<TensorInfo> WeightLayout(const Transformer& model);

// Overwrites the weights of `model`, whose layout `weights` must have.
absl::Status ApplyWeights(const WeightSet& weights, Transformer* model);

// New weights are taken between two steps; what is under way goes on with its
// cache as it is (a partial rollout), and its version spans say so.
class ModelEngine : public Engine {
 public:
  // All must outlive the engine.
  //   tokenizer: null where completions need no text
  //   weights: null where `model` holds the weights already, as version 0
  //   kInvalidArgument  speculative, and the model has no prediction head
  static absl::StatusOr<std::unique_ptr<ModelEngine>> Create(
      const ModelEngineSettings& settings, Transformer* model,
      const Tokenizer* tokenizer, WeightReceiver* weights);

  absl::Status Add(const Lease& lease) override;
  absl::StatusOr<std::vector<Group>> Step() override;
  int64_t Pending() const override { return pending_; }
  int64_t PolicyVersion() const override { return version_; }
  absl::Status ApplyNewWeights() override;
  EngineStats stats() const override { return stats_; }

  const Scheduler& scheduler() const { return scheduler_; }

 private:
  // What a decode feeds: of each sequence the token sampled last, and behind it
  // the guess at the next where there is one.
  struct DecodeRows {
    std::vector<int64_t> tokens;
    std::vector<int64_t> positions;
    std::vector<Sequence*> sequences;
    std::vector<Draw> draws;       // Each sequence's first row.
    std::vector<int32_t> guesses;  // Of each sequence.
  };

  ModelEngine(const SchedulerSettings& scheduler, Transformer* model,
              const Tokenizer* tokenizer, WeightReceiver* weights,
              KvCache cache);

  absl::Status CheckLease(const Lease& lease) const;
  absl::Status RunPrefill(const std::vector<PromptUnderWay*>& prompts);
  absl::Status RunDecode(const StepPlan& plan);
  DecodeRows RowsToFeed(const std::vector<Sequence*>& sequences);
  // Counts a guess at the token that `sequence` has sampled meanwhile. Whether
  // the row behind it gives the sequence's next token.
  bool CheckGuess(int32_t guess, Sequence* sequence);
  absl::Status SampleTokens(const at::Tensor& logits,
                            const std::vector<Draw>& draws);
  void TakeToken(Sequence* sequence, const SampledToken& sampled);
  bool EndsWithStop(const Sequence& sequence);
  void Finish(Sequence* sequence, FinishReason reason);
  std::vector<Group> TakeFinishedGroups();

  Transformer* const model_;
  const Tokenizer* const tokenizer_;
  WeightReceiver* const weights_;
  KvCache cache_;
  Scheduler scheduler_;
  std::deque<std::unique_ptr<PromptUnderWay>> prompts_;  // As they were added.
  std::unordered_map<const Sequence*, StopFinder> stop_finders_;
  int64_t pending_ = 0;
  int64_t version_;
  EngineStats stats_;
  RowSampler sampler_;
  std::unique_ptr<Drafter> drafter_;  // Null where nothing is guessed.
};

}  // namespace cohort
