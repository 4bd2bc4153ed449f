// The trainer's side of leases: which groups the coming steps are made of, and
// the wait for them.
//
// With max_staleness k the groups of k further steps are planned while one is
// trained; k = 0 plans a step when the one before is done, which is all there
// is to the synchronous mode.
#pragma once

#include <cstdint>
#include <deque>
#include <stop_token>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "configs/config.h"
#include "learner/advantage.h"
#include "learner/experience_store.h"
#include "learner/lease_book.h"
#include "learner/prompt_source.h"
#include "proto/learner.pb.h"

namespace cohort {

// Graded groups of one optimizer step, in the order they were planned in,
// whoever came first.
struct StepGroups {
  std::vector<Group> groups;         // Rewards are set.
  std::vector<GroupLesson> lessons;  // One per group.
  RewardRule rule;                   // That the rewards were set by.
  std::vector<std::string> dropped;  // Ids replaced for want of spread.
  int64_t dropped_tokens = 0;        // Sampled in vain.
  double wait_s = 0;                 // Wall seconds until all were there.

  std::vector<std::string> GroupIds() const;
};

// How a stage samples the prompts of its steps.
Sampling SamplingOf(const RolloutConfig& rollout, uint64_t run_seed,
                    const std::vector<int64_t>& end_tokens);

// Plans `leases` that the store does not hold yet, waits until it holds all,
// and loads them in order. kCancelled: `stop` was requested.
absl::StatusOr<std::vector<Group>> SampleAndWait(
    const std::vector<PlannedGroup>& planned, ExperienceStore* store,
    LeaseBook* book, const std::stop_token& stop);

// Single-threaded.
class GroupPlanner {
 public:
  // All must outlive this. `sampling` is copied into every lease.
  GroupPlanner(const StageConfig& stage, AdvantageNorm norm, Sampling sampling,
               PromptSource* source, ExperienceStore* store, LeaseBook* book);

  // Plans until the groups of min(max_staleness + 1, steps_left) steps are
  // under way. What is planned now is sampled by `policy_version` or newer.
  absl::Status PlanAhead(int64_t steps_left, int64_t policy_version);

  // Waits for the groups of the earliest planned step. Groups without spread
  // are replaced by new ones while refill_groups allows.
  //   kCancelled  `stop` was requested
  absl::StatusOr<StepGroups> Take(int64_t policy_version,
                                  const std::stop_token& stop);

  // The prompt source's state as it was before the steps not taken yet.
  std::string SaveCursor() const;

 private:
  struct PlannedStep {
    std::string cursor;  // Of the source, before this step.
    std::vector<PlannedGroup> groups;
  };

  // The next `n` prompts that this run has not trained on or dropped before.
  absl::StatusOr<std::vector<PlannedGroup>> NextGroups(int n,
                                                       int64_t policy_version);
  // Replaces groups without spread in `step`.
  absl::Status Refill(int64_t policy_version, const std::stop_token& stop,
                      StepGroups* step);
  GroupLesson Judge(Group* group) const;

  const StageConfig& stage_;
  const AdvantageNorm norm_;
  const Sampling sampling_;
  PromptSource* const source_;
  ExperienceStore* const store_;
  LeaseBook* const book_;
  std::deque<PlannedStep> planned_;
  int64_t stage_step_ = 0;  // The stage's step that is taken next.
};

}  // namespace cohort
