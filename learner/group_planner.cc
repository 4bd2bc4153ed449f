#include "learner/group_planner.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "proto/check.h"
#include "proto/status.h"

namespace cohort {
namespace {

std::vector<std::string> IdsOf(const std::vector<PlannedGroup>& planned) {
  std::vector<std::string> ids;
  for (const PlannedGroup& group : planned) {
    ids.push_back(GroupId(group.lease.occurrence()));
  }
  return ids;
}

// Those of `planned` that the store does not hold.
absl::StatusOr<std::vector<PlannedGroup>> FindMissing(
    const std::vector<PlannedGroup>& planned, const ExperienceStore& store) {
  COHORT_ASSIGN_OR_RETURN(const std::vector<std::string> stored,
                          store.FindStored(IdsOf(planned)));
  const std::set<std::string> held(stored.begin(), stored.end());
  std::vector<PlannedGroup> missing;
  for (const PlannedGroup& group : planned) {
    if (held.count(GroupId(group.lease.occurrence())) == 0) {
      missing.push_back(group);
    }
  }
  return missing;
}

}  // namespace

std::vector<std::string> StepGroups::GroupIds() const {
  std::vector<std::string> ids;
  for (const Group& group : groups) ids.push_back(group.id());
  return ids;
}

Sampling SamplingOf(const RolloutConfig& rollout, uint64_t run_seed,
                    const std::vector<int64_t>& end_tokens) {
  Sampling sampling;
  sampling.set_group_size(rollout.group_size);
  sampling.set_temperature(rollout.temperature);
  sampling.set_top_p(rollout.top_p);
  sampling.set_top_k(rollout.top_k);
  sampling.set_max_completion_tokens(rollout.max_completion_tokens);
  for (const std::string& stop : rollout.stop) sampling.add_stop(stop);
  for (const int64_t token : end_tokens) {
    sampling.add_end_tokens(static_cast<int32_t>(token));
  }
  sampling.set_seed(run_seed);
  return sampling;
}

absl::StatusOr<std::vector<Group>> SampleAndWait(
    const std::vector<PlannedGroup>& planned, ExperienceStore* store,
    LeaseBook* book, const std::stop_token& stop) {
  COHORT_ASSIGN_OR_RETURN(std::vector<PlannedGroup> missing,
                          FindMissing(planned, *store));
  const std::vector<std::string> awaited = IdsOf(missing);
  book->Plan(std::move(missing));
  if (!book->WaitFor(awaited, stop)) {
    return absl::CancelledError("stopped while waiting for groups");
  }
  // Also those that were delivered before this wait began.
  book->Forget(IdsOf(planned));
  return store->Load(IdsOf(planned));
}

GroupPlanner::GroupPlanner(const StageConfig& stage, AdvantageNorm norm,
                           Sampling sampling, PromptSource* source,
                           ExperienceStore* store, LeaseBook* book)
    : stage_(stage),
      norm_(norm),
      sampling_(std::move(sampling)),
      source_(source),
      store_(store),
      book_(book) {}

absl::StatusOr<std::vector<PlannedGroup>> GroupPlanner::NextGroups(
    int n, int64_t policy_version) {
  std::vector<PlannedGroup> groups;
  while (static_cast<int>(groups.size()) < n) {
    SourcedPrompt next = std::move(source_->Take(1).front());
    const std::string id = GroupId(next.occurrence);
    // A refill of an earlier life of the run may have taken this prompt.
    COHORT_ASSIGN_OR_RETURN(const bool seen, store_->Contains(id));
    if (seen) {
      COHORT_ASSIGN_OR_RETURN(const auto stored, store_->FindStored({id}));
      if (stored.empty()) continue;
    }
    PlannedGroup group;
    *group.lease.mutable_prompt() = std::move(next.prompt);
    *group.lease.mutable_occurrence() = std::move(next.occurrence);
    *group.lease.mutable_sampling() = sampling_;
    group.lease.set_min_policy_version(policy_version);
    group.rewards = RewardRuleAt(stage_, stage_step_);
    group.max_staleness = stage_.learner.max_staleness;
    groups.push_back(std::move(group));
  }
  return groups;
}

absl::Status GroupPlanner::PlanAhead(int64_t steps_left,
                                     int64_t policy_version) {
  stage_step_ = stage_.steps - steps_left;
  const int64_t wanted =
      std::min<int64_t>(stage_.learner.max_staleness + 1, steps_left);
  while (static_cast<int64_t>(planned_.size()) < wanted) {
    PlannedStep step;
    step.cursor = source_->SaveState();
    COHORT_ASSIGN_OR_RETURN(
        step.groups,
        NextGroups(stage_.learner.prompts_per_step, policy_version));
    COHORT_ASSIGN_OR_RETURN(std::vector<PlannedGroup> missing,
                            FindMissing(step.groups, *store_));
    book_->Plan(std::move(missing));
    planned_.push_back(std::move(step));
  }
  return absl::OkStatus();
}

GroupLesson GroupPlanner::Judge(Group* group) const {
  SetRewards(RewardRuleAt(stage_, stage_step_), group);
  return LessonOf(*group, norm_);
}

absl::StatusOr<StepGroups> GroupPlanner::Take(int64_t policy_version,
                                              const std::stop_token& stop) {
  COHORT_CHECK(!planned_.empty());
  const absl::Time began = absl::Now();
  StepGroups step;
  step.rule = RewardRuleAt(stage_, stage_step_);
  COHORT_ASSIGN_OR_RETURN(
      step.groups, SampleAndWait(planned_.front().groups, store_, book_, stop));
  for (Group& group : step.groups) step.lessons.push_back(Judge(&group));
  COHORT_RETURN_IF_ERROR(Refill(policy_version, stop, &step));
  FinishAdvantages(norm_, step.groups, &step.lessons);
  planned_.pop_front();
  step.wait_s = absl::ToDoubleSeconds(absl::Now() - began);
  return step;
}

absl::Status GroupPlanner::Refill(int64_t policy_version,
                                  const std::stop_token& stop,
                                  StepGroups* step) {
  int left = stage_.learner.refill_groups * stage_.learner.prompts_per_step;
  while (left > 0) {
    std::vector<size_t> flat;  // Places of the groups without spread.
    for (size_t i = 0; i < step->groups.size(); ++i) {
      if (!step->lessons[i].has_spread) flat.push_back(i);
    }
    if (flat.empty()) break;
    flat.resize(std::min<size_t>(flat.size(), static_cast<size_t>(left)));
    left -= static_cast<int>(flat.size());
    COHORT_ASSIGN_OR_RETURN(
        const std::vector<PlannedGroup> more,
        NextGroups(static_cast<int>(flat.size()), policy_version));
    COHORT_ASSIGN_OR_RETURN(std::vector<Group> fresh,
                            SampleAndWait(more, store_, book_, stop));
    for (size_t i = 0; i < flat.size(); ++i) {
      Group& old = step->groups[flat[i]];
      step->dropped.push_back(old.id());
      for (const Trajectory& trajectory : old.trajectories()) {
        step->dropped_tokens += trajectory.tokens_size();
      }
      old = std::move(fresh[i]);
      step->lessons[flat[i]] = Judge(&old);
    }
  }
  return absl::OkStatus();
}

std::string GroupPlanner::SaveCursor() const {
  return planned_.empty() ? source_->SaveState() : planned_.front().cursor;
}

}  // namespace cohort
