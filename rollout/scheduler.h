// Which sequences run in the next step: continuous batching over the paged
// cache. Everything happens in the order in which prompts were added, so that a
// run is repeatable; no completion depends on it.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "rollout/block_manager.h"
#include "rollout/sequence.h"

namespace cohort {

struct SchedulerSettings {
  int64_t blocks = 0;
  int64_t block_tokens = 16;
  int64_t max_sequences = 256;    // Decoding at the same time.
  int64_t prefill_tokens = 8192;  // In one prefill; one prompt may exceed it.
  bool draft = false;  // Room for a guess at the token after the one fed.
};

// Either prompts to prefill, whose tables are allocated, or sequences to
// decode, whose tables have room for the token they feed and, where one was
// granted, for a guess at the next. Copies come first.
struct StepPlan {
  std::vector<PromptUnderWay*> prefill;
  std::vector<BlockCopy> copies;
  std::vector<Sequence*> decode;
};

// Points at prompts from Add until their last sequence is finished.
//
// Never evicts and never fails for want of blocks: a block is granted only
// where every admitted sequence can still reach its longest completion
// (AllCanFinish); otherwise the sequence sits out this step.
class Scheduler {
 public:
  explicit Scheduler(const SchedulerSettings& settings);

  // Whether one completion of `max_completion_tokens` would fit the cache if it
  // were alone.
  bool Fits(int64_t prompt_tokens, int64_t max_completion_tokens) const;

  // Queues a prompt. Requires that it fits.
  void Add(PromptUnderWay* prompt);

  // Prefill of waiting prompts if there is room for one, else decode of what
  // runs. Empty only when nothing is queued or under way. The caller samples
  // one token for every sequence of the plan (for all members of a prefilled
  // prompt) before it plans again.
  StepPlan Plan();

  // Takes back what the table of `sequence` holds beyond its cached tokens: the
  // room of a guess that was wrong.
  void DropGuess(Sequence* sequence);

  // `sequence` has its last token: it leaves at once.
  void Finish(Sequence* sequence);

  const BlockManager& blocks() const { return blocks_; }
  int64_t running() const { return static_cast<int64_t>(running_.size()); }

 private:
  bool Admit(PromptUnderWay* prompt);
  void StartWaiting();
  void PlanDecode(StepPlan* plan);
  // Room for one more token of running_[i], if it can be granted; claims[i] is
  // brought up to date.
  bool Grow(size_t i, bool plenty, std::vector<BlockClaim>* claims,
            std::vector<BlockCopy>* copies);
  // Blocks beyond the prompt's full ones, which its siblings share.
  int64_t OwnBlocks(const Sequence& sequence) const;
  int64_t MostOwnBlocks(const PromptUnderWay& prompt) const;
  BlockClaim ClaimOf(const Sequence& sequence) const;
  std::vector<BlockClaim> AllClaims() const;

  SchedulerSettings settings_;
  BlockManager blocks_;
  std::deque<PromptUnderWay*> queued_;
  std::deque<Sequence*> waiting_;  // Admitted; their prompt is in the cache.
  std::vector<Sequence*> running_;
  bool short_of_blocks_ = false;  // Somebody sat out the last decode: nobody
                                  // new is admitted, or he might starve.
};

}  // namespace cohort
