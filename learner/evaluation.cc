#include "learner/evaluation.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "learner/advantage.h"
#include "learner/group_planner.h"
#include "proto/status.h"

namespace cohort {
namespace {

constexpr size_t kExamples = 3;

struct Sums {
  double score = 0;
  double tokens = 0;
  int64_t count = 0;  // Graded completions.

  void Add(const Sums& other) {
    score += other.score;
    tokens += other.tokens;
    count += other.count;
  }
  double Mean(double sum) const {
    return count == 0 ? std::numeric_limits<double>::quiet_NaN()
                      : sum / static_cast<double>(count);
  }
};

Sums SumGroup(const Group& group) {
  Sums sums;
  for (const Trajectory& trajectory : group.trajectories()) {
    if (!HasGrade(trajectory)) continue;
    sums.score += trajectory.grade().score();
    sums.tokens += trajectory.tokens_size();
    ++sums.count;
  }
  return sums;
}

std::string TaskOf(const Prompt& prompt) {
  return prompt.source().empty() ? prompt.verifier() : prompt.source();
}

// Sums per task, and over all of them.
struct Tally {
  std::map<std::string, Sums> tasks;
  Sums all;
  int64_t sampled_tokens = 0;
};

Tally Count(const std::vector<Group>& groups) {
  Tally tally;
  for (const Group& group : groups) {
    const Sums sums = SumGroup(group);
    tally.tasks[TaskOf(group.prompt())].Add(sums);
    tally.all.Add(sums);
    for (const Trajectory& trajectory : group.trajectories()) {
      tally.sampled_tokens += trajectory.tokens_size();
    }
  }
  return tally;
}

}  // namespace

void RecordBefore(const EvaluationResult& result, RunSummary* totals) {
  totals->sampled_tokens += result.sampled_tokens;
  if (!std::isnan(totals->before.greedy)) return;
  totals->before = result.overall;
  totals->completions = result.examples;
  for (CompletionPair& pair : totals->completions) {
    pair.before = std::move(pair.after);
  }
}

void RecordAfter(const EvaluationResult& result, MetricsRow* row,
                 RunSummary* totals) {
  for (const TaskScore& task : result.tasks) {
    row->Set(absl::StrCat("eval/", task.task, "/greedy"), task.greedy);
    row->Set(absl::StrCat("eval/", task.task, "/pass@1"), task.pass_at_1);
  }
  row->Set("eval/greedy_tokens_mean", result.overall.greedy_tokens);
  row->Set("eval/sampled_tokens_mean", result.overall.sampled_tokens);
  totals->sampled_tokens += result.sampled_tokens;
  totals->after = result.overall;
  const size_t shared =
      std::min(totals->completions.size(), result.examples.size());
  for (size_t i = 0; i < shared; ++i) {
    totals->completions[i].after = result.examples[i].after;
  }
}

Evaluator::Evaluator(std::vector<PromptSet> sets, const LearnerConfig& config,
                     std::string stage, Sampling sampling,
                     ExperienceStore* store, LeaseBook* book)
    : stage_(std::move(stage)),
      samples_(config.eval_samples),
      sampling_(std::move(sampling)),
      store_(store),
      book_(book) {
  for (PromptSet& set : sets) {
    for (Prompt& prompt : set.prompts) prompts_.push_back(std::move(prompt));
  }
  if (config.eval_limit > 0 &&
      prompts_.size() > static_cast<size_t>(config.eval_limit)) {
    prompts_.resize(config.eval_limit);
  }
}

std::vector<PlannedGroup> Evaluator::Plan(const std::string& suffix,
                                          const Sampling& sampling,
                                          int64_t step,
                                          int64_t policy_version) const {
  std::vector<PlannedGroup> planned;
  for (const Prompt& prompt : prompts_) {
    PlannedGroup group;
    *group.lease.mutable_prompt() = prompt;
    Occurrence* const occurrence = group.lease.mutable_occurrence();
    occurrence->set_stage(stage_ + suffix);
    occurrence->set_prompt_id(prompt.id());
    occurrence->set_occurrence(step);
    *group.lease.mutable_sampling() = sampling;
    group.lease.set_eval(true);
    group.lease.set_min_policy_version(policy_version);
    planned.push_back(std::move(group));
  }
  return planned;
}

absl::StatusOr<EvaluationResult> Evaluator::Run(int64_t step,
                                                int64_t policy_version,
                                                const std::stop_token& stop) {
  Sampling greedy = sampling_;
  greedy.set_group_size(1);
  greedy.set_temperature(0);
  greedy.set_top_p(1);
  greedy.set_top_k(0);
  Sampling sampled = greedy;
  sampled.set_group_size(samples_);
  sampled.set_temperature(1);

  std::vector<PlannedGroup> planned =
      Plan("-eval-greedy", greedy, step, policy_version);
  if (samples_ > 0) {
    for (PlannedGroup& group :
         Plan("-eval-sampled", sampled, step, policy_version)) {
      planned.push_back(std::move(group));
    }
  }
  COHORT_ASSIGN_OR_RETURN(std::vector<Group> groups,
                          SampleAndWait(planned, store_, book_, stop));
  const auto middle = groups.begin() + static_cast<int64_t>(prompts_.size());
  const Tally best = Count({groups.begin(), middle});
  Tally drawn = Count({middle, groups.end()});

  EvaluationResult result;
  result.overall = {.greedy = best.all.Mean(best.all.score),
                    .sampled = drawn.all.Mean(drawn.all.score),
                    .greedy_tokens = best.all.Mean(best.all.tokens),
                    .sampled_tokens = drawn.all.Mean(drawn.all.tokens)};
  result.sampled_tokens = best.sampled_tokens + drawn.sampled_tokens;
  for (const auto& [task, sums] : best.tasks) {
    const Sums& own = drawn.tasks[task];
    result.tasks.push_back({task, sums.Mean(sums.score), own.Mean(own.score)});
  }
  for (size_t i = 0; i < std::min(kExamples, prompts_.size()); ++i) {
    result.examples.push_back({.prompt = prompts_[i].text(),
                               .answer = prompts_[i].answer(),
                               .before = "",
                               .after = groups[i].trajectories(0).text()});
  }
  return result;
}

}  // namespace cohort
