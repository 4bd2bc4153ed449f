#include "rollout/eval_report.h"

#include <cmath>
#include <limits>
#include <optional>

#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"
#include "proto/pass_at_k.h"
#include "proto/rows.h"

namespace cohort {
namespace {

using Json = nlohmann::ordered_json;

// A mean that is NaN over nothing.
struct Mean {
  double sum = 0;
  int64_t count = 0;

  void Add(double value) {
    sum += value;
    ++count;
  }
  double Value() const {
    return count == 0 ? std::numeric_limits<double>::quiet_NaN()
                      : sum / static_cast<double>(count);
  }
};

struct Counts {
  int64_t graded = 0;
  int64_t correct = 0;
};

bool IsGraded(const Trajectory& trajectory) {
  return trajectory.has_grade() &&
         trajectory.grade().verdict() != VERDICT_GRADER_ERROR &&
         trajectory.grade().verdict() != VERDICT_INFRA_ERROR;
}

bool IsCorrect(const Trajectory& trajectory) {
  return trajectory.grade().verdict() == VERDICT_CORRECT;
}

Counts Count(const Group& group) {
  Counts counts;
  for (const Trajectory& trajectory : group.trajectories()) {
    if (!IsGraded(trajectory)) continue;
    ++counts.graded;
    if (IsCorrect(trajectory)) ++counts.correct;
  }
  return counts;
}

// Whether the majority's answer is correct; nullopt where nobody voted.
std::optional<bool> MajorityCorrect(const TaskResult& result) {
  if (result.classes.empty()) return std::nullopt;
  const std::optional<int64_t> winner = MajorityVote(result.classes);
  return winner.has_value() &&
         IsCorrect(result.group.trajectories(static_cast<int>(*winner)));
}

Json OrNull(double value) {
  return std::isfinite(value) ? Json(value) : Json();
}

std::string Dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

EvalScores ScoreResults(const std::vector<TaskResult>& results,
                        const std::vector<int>& ks) {
  EvalScores scores;
  Mean pass_at_1, majority, score, tokens, cut;
  std::map<int, Mean> pass_at_k;
  for (const int k : ks) pass_at_k[k];
  for (const TaskResult& result : results) {
    ++scores.tasks;
    const Counts counts = Count(result.group);
    scores.ungraded += result.group.trajectories_size() - counts.graded;
    if (counts.graded > 0) {
      pass_at_1.Add(PassAtK(counts.graded, counts.correct, 1));
    }
    for (auto& [k, mean] : pass_at_k) {
      if (k <= counts.graded) {
        mean.Add(PassAtK(counts.graded, counts.correct, k));
      }
    }
    if (const std::optional<bool> correct = MajorityCorrect(result)) {
      majority.Add(*correct ? 1 : 0);
    }
    for (const Trajectory& trajectory : result.group.trajectories()) {
      tokens.Add(trajectory.tokens_size());
      cut.Add(trajectory.finish_reason() == FINISH_REASON_LENGTH ? 1 : 0);
      if (IsGraded(trajectory)) score.Add(trajectory.grade().score());
      ++scores.verdicts[std::string(VerdictName(trajectory.grade().verdict()))];
    }
  }
  scores.pass_at_1 = pass_at_1.Value();
  for (const auto& [k, mean] : pass_at_k) scores.pass_at_k[k] = mean.Value();
  scores.majority = majority.Value();
  scores.score_mean = score.Value();
  scores.completion_tokens_mean = tokens.Value();
  scores.cut_share = cut.Value();
  return scores;
}

std::string PrintScores(const EvalScores& scores, int n,
                        const std::string& settings) {
  Json json = Json::parse(settings);
  json["tasks"] = scores.tasks;
  json["pass@1"] = OrNull(scores.pass_at_1);
  for (const auto& [k, value] : scores.pass_at_k) {
    json[absl::StrCat("pass@", k)] = OrNull(value);
  }
  json[absl::StrCat("maj@", n)] = OrNull(scores.majority);
  json["score_mean"] = OrNull(scores.score_mean);
  json["completion_tokens_mean"] = OrNull(scores.completion_tokens_mean);
  json["cut_share"] = OrNull(scores.cut_share);
  json["ungraded"] = scores.ungraded;
  json["verdicts"] = scores.verdicts;
  return Dump(json);
}

std::string PrintSamples(const TaskResult& result) {
  const Group& group = result.group;
  const Counts counts = Count(group);
  Json json;
  json["id"] = group.prompt().id();
  json["prompt"] = group.prompt().text();
  json["pass@1"] = counts.graded == 0
                       ? Json()
                       : Json(PassAtK(counts.graded, counts.correct, 1));
  const std::optional<bool> majority = MajorityCorrect(result);
  json["majority_correct"] = majority.has_value() ? Json(*majority) : Json();
  json["completions"] = Json::array();
  for (int i = 0; i < group.trajectories_size(); ++i) {
    const Trajectory& trajectory = group.trajectories(i);
    Json completion;
    completion["text"] = trajectory.text();
    completion["verdict"] = VerdictName(trajectory.grade().verdict());
    completion["score"] = trajectory.grade().score();
    completion["extracted"] = trajectory.grade().extracted();
    completion["reason"] = trajectory.grade().reason();
    completion["answer_class"] =
        result.classes.empty() ? Json()
                               : Json(result.classes[static_cast<size_t>(i)]);
    completion["tokens"] = trajectory.tokens_size();
    completion["finish_reason"] =
        trajectory.finish_reason() == FINISH_REASON_STOP ? "stop" : "length";
    json["completions"].push_back(std::move(completion));
  }
  return Dump(json);
}

}  // namespace cohort
