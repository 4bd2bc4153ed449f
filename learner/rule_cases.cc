#include "learner/rule_cases.h"

#include <torch/types.h>

#include <array>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "learner/advantage_rules.h"
#include "learner/length_reward.h"
#include "model/logprob.h"
#include "proto/pass_at_k.h"
#include "proto/status.h"

namespace cohort {
namespace {

using Json = nlohmann::ordered_json;
using Rows = std::vector<std::vector<double>>;

absl::StatusOr<Rows> ReadRows(const Json& row, const char* field) {
  const auto found = row.find(field);
  const absl::Status wrong = absl::InvalidArgumentError(
      absl::StrCat("'", field, "' is not a list of lists of numbers"));
  if (found == row.end() || !found->is_array() || found->empty()) return wrong;
  Rows rows;
  for (const Json& list : *found) {
    if (!list.is_array() || list.empty()) return wrong;
    std::vector<double>& own = rows.emplace_back();
    for (const Json& value : list) {
      if (!value.is_number()) return wrong;
      own.push_back(value.get<double>());
    }
  }
  return rows;
}

absl::StatusOr<Json> SolveAdvantages(const Json& row) {
  COHORT_ASSIGN_OR_RETURN(const Rows groups, ReadRows(row, "rewards"));
  std::vector<double> all;
  bool several = true;
  for (const std::vector<double>& group : groups) {
    all.insert(all.end(), group.begin(), group.end());
    several = several && group.size() > 1;
  }
  const double step_std = StdOf(all, 1);
  Json out;
  for (const std::vector<double>& group : groups) {
    const double std0 = StdOf(group, 0);
    const double std1 = StdOf(group, 1);
    out["mean"].push_back(MeanOf(group));
    out["std_ddof0"].push_back(std0);
    out["std_ddof1"].push_back(std1);
    out["zero_variance_group"].push_back(std0 == 0);
    out["adv_ddof0_zero_rule"].push_back(Standardised(group, std0, 0));
    out["adv_ddof1_zero_rule"].push_back(Standardised(group, std1, 0));
    out["adv_ddof1_eps1e_4"].push_back(Standardised(group, std1, 1e-4));
    out["adv_ddof0_eps1e_6"].push_back(Standardised(group, std0, 1e-6));
    out["adv_ddof1_eps1e_6"].push_back(Standardised(group, std1, 1e-6));
    out["adv_dr_grpo_mean_only"].push_back(Centred(group));
    out["adv_group_mean_batch_std_ddof1_eps1e_4"].push_back(
        Standardised(group, step_std, 1e-4));
    if (several) out["adv_rloo_leave_one_out"].push_back(LeaveOneOut(group));
  }
  return out;
}

absl::StatusOr<std::vector<int64_t>> ReadThree(const Json& row,
                                               const char* field) {
  const Json& list = row[field];
  std::vector<int64_t> numbers;
  for (size_t i = 0; list.is_array() && i < 3 && i < list.size(); ++i) {
    if (list[i].is_number_integer()) numbers.push_back(list[i].get<int64_t>());
  }
  if (numbers.size() == 3) return numbers;
  return absl::InvalidArgumentError(
      absl::StrCat("'", field, "' is not a list of three whole numbers"));
}

absl::StatusOr<Json> SolvePassAtK(const Json& row) {
  COHORT_ASSIGN_OR_RETURN(const auto nck, ReadThree(row, "pass_at_k"));
  const auto [n, c, k] = std::array<int64_t, 3>{nck[0], nck[1], nck[2]};
  if (c < 0 || c > n || k < 1 || k > n) {
    return absl::InvalidArgumentError(
        absl::StrCat("pass@", k, " of ", n, " samples, ", c, " of them right"));
  }
  return Json{{"value", PassAtK(n, c, k)}};
}

absl::StatusOr<Json> SolveOverlong(const Json& row) {
  COHORT_ASSIGN_OR_RETURN(const auto numbers, ReadThree(row, "overlong"));
  if (numbers[1] < 1) {
    return absl::InvalidArgumentError("'overlong' needs L_cache above 0");
  }
  return Json{{"reward", OverlongReward(numbers[2], numbers[0], numbers[1])}};
}

absl::StatusOr<at::Tensor> ReadLogits(const Json& row, const char* field,
                                      at::ScalarType dtype) {
  COHORT_ASSIGN_OR_RETURN(const Rows rows, ReadRows(row, field));
  std::vector<double> values;
  for (const std::vector<double>& list : rows) {
    if (list.size() != rows.front().size()) {
      return absl::InvalidArgumentError(
          absl::StrCat("'", field, "' has rows of different lengths"));
    }
    values.insert(values.end(), list.begin(), list.end());
  }
  return torch::tensor(values, at::kDouble)
      .to(dtype)
      .view({static_cast<int64_t>(rows.size()), -1});
}

Json ToJson(const at::Tensor& tensor) {
  const at::Tensor values =
      tensor.detach().to(at::kDouble).to(at::kCPU).contiguous();
  if (values.dim() > 1) {
    Json rows = Json::array();
    for (const at::Tensor& row : values.unbind(0)) rows.push_back(ToJson(row));
    return rows;
  }
  const double* const data = values.const_data_ptr<double>();
  return std::vector<double>(data, data + values.numel());
}

// Through what the learner itself computes log-probabilities with: the head is
// the identity.
absl::StatusOr<Json> SolveLogits(const Json& row, std::string_view dtype) {
  const at::ScalarType type = dtype == "float32" ? at::kFloat : at::kDouble;
  COHORT_ASSIGN_OR_RETURN(const at::Tensor logits,
                          ReadLogits(row, "logits", type));
  const auto ids = row.find("ids");
  const int64_t v = logits.size(1);
  std::vector<int64_t> targets;
  for (const Json& id : ids == row.end() ? Json::array() : *ids) {
    if (!id.is_number_integer() || id < 0 || id >= v) break;
    targets.push_back(id.get<int64_t>());
  }
  if (static_cast<int64_t>(targets.size()) != logits.size(0)) {
    return absl::InvalidArgumentError(
        "'ids' is not one token below the vocabulary for each row of logits");
  }
  const auto stated = row.find("temperature");
  const double temperature =
      stated != row.end() && stated->is_number() ? stated->get<double>() : 1;
  if (!(temperature > 0)) {
    return absl::InvalidArgumentError("'temperature' must be above 0");
  }
  const at::Tensor leaf = logits.clone().set_requires_grad(true);
  const TokenLogprobs scores =
      LogprobsOfTokens(leaf, at::eye(v, logits.options()),
                       torch::tensor(targets, at::kLong), temperature);
  scores.logprobs.sum().backward();
  Json out = {{"logprob", ToJson(scores.logprobs)},
              {"entropy", ToJson(scores.entropy)},
              {"grad_logits_of_sum_logprob", ToJson(leaf.grad())}};
  if (!row.contains("ref_logits")) return out;
  COHORT_ASSIGN_OR_RETURN(const at::Tensor reference,
                          ReadLogits(row, "ref_logits", type));
  if (reference.sizes() != logits.sizes()) {
    return absl::InvalidArgumentError("'ref_logits' is not of logits' shape");
  }
  const at::Tensor own = (logits / temperature).log_softmax(-1);
  out["kl_full_vs_ref"] =
      ToJson((own.exp() * (own - reference.log_softmax(-1))).sum(-1));
  return out;
}

}  // namespace

absl::StatusOr<std::optional<Json>> SolveRule(const Json& row,
                                              std::string_view dtype) {
  absl::StatusOr<Json> solved = absl::UnknownError("");
  if (row.contains("rewards")) {
    solved = SolveAdvantages(row);
  } else if (row.contains("pass_at_k")) {
    solved = SolvePassAtK(row);
  } else if (row.contains("overlong")) {
    solved = SolveOverlong(row);
  } else if (row.contains("logits")) {
    solved = SolveLogits(row, dtype);
  } else {
    return std::nullopt;
  }
  if (!solved.ok()) return solved.status();
  return std::optional<Json>(*std::move(solved));
}

}  // namespace cohort
