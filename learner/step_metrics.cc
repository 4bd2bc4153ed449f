#include "learner/step_metrics.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "learner/experience_store.h"

namespace cohort {
namespace {

// Sums over a step's trajectories.
struct StepSums {
  double reward = 0;
  double score = 0;
  double format = 0;
  double length = 0;
  double graded = 0;
  double tokens = 0;
  double trajectories = 0;
  double drafted = 0;
  double accepted = 0;
};

StepSums SumUp(const StepGroups& taken) {
  StepSums sums;
  for (const Group& group : taken.groups) {
    sums.drafted += static_cast<double>(group.drafted_tokens());
    sums.accepted += static_cast<double>(group.accepted_tokens());
    for (const Trajectory& trajectory : group.trajectories()) {
      sums.trajectories += 1;
      sums.tokens += trajectory.tokens_size();
      if (!HasGrade(trajectory)) continue;
      sums.graded += 1;
      sums.reward += trajectory.reward();
      const RewardParts parts = PartsOf(taken.rule, group.prompt(), trajectory);
      sums.score += parts.accuracy;
      sums.format += parts.format;
      sums.length += parts.length;
    }
  }
  return sums;
}

double Ratio(double sum, double count) { return count == 0 ? 0 : sum / count; }

}  // namespace

double MeanReward(const StepGroups& taken) {
  const StepSums sums = SumUp(taken);
  return Ratio(sums.reward, sums.graded);
}

double MeanCompletionTokens(const StepGroups& taken) {
  const StepSums sums = SumUp(taken);
  return Ratio(sums.tokens, sums.trajectories);
}

double TokensPerSecond(const StepGroups& taken) {
  return Ratio(SumUp(taken).tokens, taken.wait_s);
}

double GradeSeconds(const StepGroups& taken) {
  double sum = 0;
  for (const Group& group : taken.groups) sum += group.grade_s();
  return sum;
}

void SetGroupMetrics(const StepGroups& taken, int64_t policy_version,
                     MetricsRow* row) {
  const StepSums sums = SumUp(taken);
  double staleness = 0;
  double flat = 0;
  for (size_t i = 0; i < taken.groups.size(); ++i) {
    staleness += static_cast<double>(policy_version -
                                     VersionsOf(taken.groups[i]).oldest);
    if (!taken.lessons[i].has_spread) flat += 1;
  }
  row->Set("train/reward_mean", Ratio(sums.reward, sums.graded));
  row->Set("train/accuracy", Ratio(sums.score, sums.graded));
  row->Set("train/format", Ratio(sums.format, sums.graded));
  row->Set("train/reward/accuracy", Ratio(sums.score, sums.graded));
  row->Set("train/reward/format", Ratio(sums.format, sums.graded));
  row->Set("train/reward/length", Ratio(sums.length, sums.graded));
  row->Set("train/completion_tokens_mean",
           Ratio(sums.tokens, sums.trajectories));
  row->Set("train/groups_without_spread", flat);
  row->Set("train/groups_dropped", static_cast<double>(taken.dropped.size()));
  row->Set("train/ungraded", sums.trajectories - sums.graded);
  row->Set("rollout/staleness_mean",
           Ratio(staleness, static_cast<double>(taken.groups.size())));
  row->Set("rollout/tokens_per_second", TokensPerSecond(taken));
  if (sums.drafted > 0) {
    row->Set("rollout/draft_acceptance", sums.accepted / sums.drafted);
  }
}

void SetMismatchMetrics(const Mismatch& mismatch, MetricsRow* row) {
  row->Set("mismatch/kl_nats", mismatch.kl_nats());
  row->Set("mismatch/max_abs_logprob_diff", mismatch.max_abs_diff_nats);
  row->Set("mismatch/mean_abs_logprob_diff", mismatch.mean_abs_diff_nats());
  row->Set("mismatch/tokens", static_cast<double>(mismatch.tokens));
  row->Set("mismatch/route_flips", static_cast<double>(mismatch.route_flips));
}

void Advance(const StepGroups& taken, int64_t skipped, int64_t trained_tokens,
             int64_t optimizer_steps, TrainerState* state) {
  ++state->step;
  ++state->stage_step;
  ++state->policy_version;
  state->optimizer_steps = optimizer_steps;
  RunSummary& totals = state->totals;
  totals.skipped_steps += skipped;
  totals.trained_tokens += trained_tokens;
  totals.sampled_tokens +=
      static_cast<int64_t>(SumUp(taken).tokens) + taken.dropped_tokens;
  totals.groups_trained += static_cast<int64_t>(taken.groups.size());
  totals.groups_dropped += static_cast<int64_t>(taken.dropped.size());
}

void AddTimes(const std::vector<std::pair<std::string, double>>& times,
              TrainerState* state, MetricsRow* row) {
  std::vector<std::pair<std::string, double>>& all = state->totals.time_s;
  for (const auto& [name, seconds] : times) {
    row->Set(absl::StrCat("time/", name), seconds);
    // The summary says "sample 12.3 s"; the unit is not part of its name.
    const std::string bare = name.substr(0, name.size() - 2);
    const auto found = std::find_if(
        all.begin(), all.end(),
        [&bare](const auto& entry) { return entry.first == bare; });
    if (found != all.end()) {
      found->second += seconds;
    } else {
      all.emplace_back(bare, seconds);
    }
  }
}

}  // namespace cohort
