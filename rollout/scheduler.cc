#include "rollout/scheduler.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "proto/check.h"

namespace cohort {
namespace {

// The last token is never fed, so it needs no place in the cache.
int64_t MostCachedTokens(int64_t prompt_tokens, int64_t max_completion_tokens) {
  return prompt_tokens + max_completion_tokens - 1;
}

// AllCanFinish, without sorting in the common case that there is plenty.
bool AllCanFinishFast(int64_t free_blocks,
                      const std::vector<BlockClaim>& claims) {
  int64_t needed = 0;
  for (const BlockClaim& claim : claims) needed += claim.needed;
  return needed <= free_blocks || AllCanFinish(free_blocks, claims);
}

}  // namespace

Scheduler::Scheduler(const SchedulerSettings& settings)
    : settings_(settings), blocks_(settings.blocks, settings.block_tokens) {
  COHORT_CHECK(settings.max_sequences > 0);
}

bool Scheduler::Fits(int64_t prompt_tokens,
                     int64_t max_completion_tokens) const {
  const int64_t shared = blocks_.BlocksFor(prompt_tokens);
  const int64_t full = prompt_tokens / settings_.block_tokens;
  const int64_t all =
      blocks_.BlocksFor(MostCachedTokens(prompt_tokens, max_completion_tokens));
  return shared + all - full <= blocks_.total_blocks();
}

void Scheduler::Add(PromptUnderWay* prompt) {
  COHORT_CHECK(Fits(prompt->PromptTokens(), prompt->max_completion_tokens));
  queued_.push_back(prompt);
}

int64_t Scheduler::MostOwnBlocks(const PromptUnderWay& prompt) const {
  const int64_t tokens =
      MostCachedTokens(prompt.PromptTokens(), prompt.max_completion_tokens);
  return blocks_.BlocksFor(tokens) -
         prompt.PromptTokens() / settings_.block_tokens;
}

int64_t Scheduler::OwnBlocks(const Sequence& sequence) const {
  const int64_t prompt_tokens = sequence.prompt->PromptTokens();
  if (sequence.table.tokens <= prompt_tokens) return 0;
  return static_cast<int64_t>(sequence.table.blocks.size()) -
         prompt_tokens / settings_.block_tokens;
}

BlockClaim Scheduler::ClaimOf(const Sequence& sequence) const {
  const int64_t held = OwnBlocks(sequence);
  return {.held = held, .needed = MostOwnBlocks(*sequence.prompt) - held};
}

std::vector<BlockClaim> Scheduler::AllClaims() const {
  std::vector<BlockClaim> claims;
  claims.reserve(running_.size() + waiting_.size());
  for (const Sequence* sequence : running_) {
    claims.push_back(ClaimOf(*sequence));
  }
  for (const Sequence* sequence : waiting_) {
    claims.push_back(ClaimOf(*sequence));
  }
  return claims;
}

StepPlan Scheduler::Plan() {
  StepPlan plan;
  int64_t tokens = 0;
  while (!queued_.empty() && !short_of_blocks_) {
    PromptUnderWay* const prompt = queued_.front();
    tokens += prompt->PromptTokens();
    if (!plan.prefill.empty() && tokens > settings_.prefill_tokens) break;
    if (!Admit(prompt)) break;
    queued_.pop_front();
    plan.prefill.push_back(prompt);
  }
  if (plan.prefill.empty()) {
    StartWaiting();
    PlanDecode(&plan);
    COHORT_CHECK(!plan.decode.empty() || (running_.empty() && queued_.empty()));
  }
  return plan;
}

bool Scheduler::Admit(PromptUnderWay* prompt) {
  const auto active = static_cast<int64_t>(running_.size() + waiting_.size());
  if (active >= settings_.max_sequences) return false;
  const int64_t left =
      blocks_.free_blocks() - blocks_.BlocksFor(prompt->PromptTokens());
  if (left < 0) return false;
  std::vector<BlockClaim> claims = AllClaims();
  claims.insert(claims.end(), prompt->members.size(),
                {.held = 0, .needed = MostOwnBlocks(*prompt)});
  if (!AllCanFinishFast(left, claims)) return false;

  prompt->table = blocks_.Allocate(prompt->PromptTokens());
  for (Sequence& sequence : prompt->members) waiting_.push_back(&sequence);
  return true;
}

// Lets waiting members run, each with a table of its own over the prompt's
// blocks. The prompt's own table goes with the last of them.
void Scheduler::StartWaiting() {
  while (!waiting_.empty() &&
         static_cast<int64_t>(running_.size()) < settings_.max_sequences) {
    Sequence* const sequence = waiting_.front();
    waiting_.pop_front();
    sequence->table = blocks_.Fork(sequence->prompt->table);
    sequence->state = SequenceState::kRunning;
    running_.push_back(sequence);
    if (waiting_.empty() || waiting_.front()->prompt != sequence->prompt) {
      blocks_.Release(&sequence->prompt->table);
    }
  }
}

void Scheduler::PlanDecode(StepPlan* plan) {
  std::vector<BlockClaim> claims = AllClaims();  // running_ comes first.
  int64_t needed = 0;
  for (const BlockClaim& claim : claims) needed += claim.needed;
  const bool plenty = needed <= blocks_.free_blocks();
  short_of_blocks_ = false;
  for (size_t i = 0; i < running_.size(); ++i) {
    if (Grow(i, plenty, &claims, &plan->copies)) {
      plan->decode.push_back(running_[i]);
    } else {
      short_of_blocks_ = true;
    }
  }
  // Guesses take what is left: nobody sits out for another one's.
  if (!settings_.draft || short_of_blocks_) return;
  for (size_t i = 0; i < running_.size(); ++i) {
    if (running_[i]->CanUseGuess()) Grow(i, plenty, &claims, &plan->copies);
  }
}

bool Scheduler::Grow(size_t i, bool plenty, std::vector<BlockClaim>* claims,
                     std::vector<BlockCopy>* copies) {
  Sequence* const sequence = running_[i];
  const int64_t wanted = blocks_.BlocksToAppend(sequence->table);
  if (!plenty && wanted > 0) {
    std::vector<BlockClaim> granted = *claims;
    granted[i].held += wanted;
    granted[i].needed -= wanted;
    const int64_t left = blocks_.free_blocks() - wanted;
    if (left < 0 || !AllCanFinish(left, std::move(granted))) return false;
  }
  const std::optional<BlockCopy> copy = blocks_.Append(&sequence->table);
  if (copy.has_value()) copies->push_back(*copy);
  (*claims)[i] = ClaimOf(*sequence);
  return true;
}

void Scheduler::DropGuess(Sequence* sequence) {
  while (sequence->table.tokens > sequence->CachedTokens()) {
    blocks_.TakeBack(&sequence->table);
  }
}

void Scheduler::Finish(Sequence* sequence) {
  sequence->state = SequenceState::kFinished;
  PromptUnderWay* const prompt = sequence->prompt;
  blocks_.Release(&sequence->table);
  std::erase(running_, sequence);
  std::erase(waiting_, sequence);
  const bool prompt_waits =
      std::any_of(waiting_.begin(), waiting_.end(),
                  [&](const Sequence* s) { return s->prompt == prompt; });
  if (!prompt_waits) blocks_.Release(&prompt->table);
}

}  // namespace cohort
