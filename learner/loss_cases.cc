#include "learner/loss_cases.h"

#include <torch/types.h>

#include <algorithm>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "learner/grpo_loss.h"
#include "learner/rule_cases.h"
#include "proto/status.h"

namespace cohort {
namespace {

using Json = nlohmann::ordered_json;

struct LossCase {
  int64_t count = 0;    // B
  int64_t tokens = 0;   // T
  at::Tensor logprobs;  // [B * T], and so on
  at::Tensor sampler_logprobs;
  at::Tensor ref_logprobs;
  at::Tensor engine_logprobs;
  at::Tensor advantages;
  at::Tensor mask;          // [B * T] bool
  at::Tensor trajectories;  // [B * T] int64
  LossCounts counts;
  LossSettings settings;
};

// A matrix whose rows are all as long as the first one of the case.
absl::StatusOr<at::Tensor> ReadMatrix(const Json& inputs, const char* field,
                                      const LossCase& shape,
                                      at::ScalarType dtype) {
  const auto found = inputs.find(field);
  if (found == inputs.end()) {
    return absl::InvalidArgumentError(absl::StrCat("no field '", field, "'"));
  }
  std::vector<double> values;
  bool right =
      found->is_array() && static_cast<int64_t>(found->size()) == shape.count;
  for (const Json& row : *found) {
    right = right && row.is_array() &&
            static_cast<int64_t>(row.size()) == shape.tokens;
    if (!right) break;
    for (const Json& value : row) {
      if (!value.is_number() && !value.is_boolean()) {
        return absl::InvalidArgumentError(
            absl::StrCat("'", field, "' holds something other than numbers"));
      }
      values.push_back(value.is_boolean() ? (value.get<bool>() ? 1.0 : 0.0)
                                          : value.get<double>());
    }
  }
  if (!right) {
    return absl::InvalidArgumentError(absl::StrCat(
        "'", field, "' is not [", shape.count, "][", shape.tokens, "]"));
  }
  return torch::tensor(values, at::kDouble).to(dtype);
}

double NumberOr(const Json& params, const char* field, double otherwise) {
  const auto found = params.find(field);
  return found != params.end() && found->is_number() ? found->get<double>()
                                                     : otherwise;
}

std::string TextOr(const Json& params, const char* field,
                   const std::string& otherwise) {
  const auto found = params.find(field);
  return found != params.end() && found->is_string() ? found->get<std::string>()
                                                     : otherwise;
}

// tis: [mode, least, most]; a bound may be null.
absl::Status ReadImportance(const Json& params, OffPolicySettings* settings) {
  const auto tis = params.find("tis");
  if (tis == params.end() || tis->is_null()) return absl::OkStatus();
  if (!tis->is_array() || tis->size() != 3 || !(*tis)[0].is_string() ||
      !(*tis)[2].is_number()) {
    return absl::InvalidArgumentError("'tis' is not [mode, least, most]");
  }
  COHORT_ASSIGN_OR_RETURN(settings->importance,
                          ParseImportanceMode((*tis)[0].get<std::string>()));
  settings->importance_min =
      (*tis)[1].is_number() ? (*tis)[1].get<double>() : 0;
  settings->importance_max = (*tis)[2].get<double>();
  return absl::OkStatus();
}

absl::Status ReadTerm(const Json& params, LossSettings* settings) {
  const std::string kind = TextOr(params, "kind", "grpo");
  COHORT_ASSIGN_OR_RETURN(settings->term,
                          ParsePolicyTerm(kind == "grpo" ? "clip" : kind));
  COHORT_ASSIGN_OR_RETURN(settings->level,
                          ParseRatioLevel(TextOr(params, "level", "token")));
  if (settings->level == RatioLevel::kProduct) {
    return absl::InvalidArgumentError("level must be token or sequence");
  }
  settings->cispo_max = NumberOr(params, "cispo_max", settings->cispo_max);
  settings->off_policy.sequence_mask =
      NumberOr(params, "opsm", settings->off_policy.sequence_mask);
  return ReadImportance(params, &settings->off_policy);
}

absl::StatusOr<LossSettings> ReadSettings(const Json& params) {
  LossSettings settings;
  COHORT_RETURN_IF_ERROR(ReadTerm(params, &settings));
  settings.clip_low = NumberOr(params, "eps_low", 0.2);
  settings.clip_high = NumberOr(params, "eps_high", settings.clip_low);
  settings.dual_clip = NumberOr(params, "delta", 0);
  settings.kl_weight = NumberOr(params, "beta", 0);
  COHORT_ASSIGN_OR_RETURN(settings.kl,
                          ParseKlEstimator(TextOr(params, "kl", "k3")));
  const std::string aggregation = TextOr(params, "agg", "seq_mean_token_mean");
  if (aggregation == "seq_mean_token_mean") {
    settings.aggregation = Aggregation::kSequenceMean;
  } else if (aggregation == "token_mean") {
    settings.aggregation = Aggregation::kTokenMean;
  } else if (aggregation == "constant") {
    settings.aggregation = Aggregation::kConstant;
    settings.loss_constant = NumberOr(params, "lmax", 0);
    if (!(settings.loss_constant > 0)) {
      return absl::InvalidArgumentError("agg constant needs lmax > 0");
    }
  } else if (aggregation == "seq_mean_token_sum") {
    settings.aggregation = Aggregation::kConstant;
    settings.loss_constant = 1;
  } else {
    return absl::InvalidArgumentError(
        absl::StrCat("no agg '", aggregation, "'"));
  }
  return settings;
}

absl::StatusOr<LossCase> ReadCase(const Json& row, at::ScalarType dtype) {
  const Json& inputs =
      row.contains("base") && row["base"].is_object() ? row["base"] : row;
  const auto logp = inputs.find("logp");
  if (logp == inputs.end() || !logp->is_array() || logp->empty() ||
      !logp->front().is_array()) {
    return absl::InvalidArgumentError("'logp' is not a [B][T] list");
  }
  LossCase found;
  found.count = static_cast<int64_t>(logp->size());
  found.tokens = static_cast<int64_t>(logp->front().size());
  const Json params = row.value("params", Json::object());
  if (!params.is_object()) {
    return absl::InvalidArgumentError("'params' is not an object");
  }
  COHORT_ASSIGN_OR_RETURN(found.settings, ReadSettings(params));
  COHORT_ASSIGN_OR_RETURN(found.logprobs,
                          ReadMatrix(inputs, "logp", found, dtype));
  COHORT_ASSIGN_OR_RETURN(found.sampler_logprobs,
                          ReadMatrix(inputs, "logp_old", found, dtype));
  if (inputs.contains("logp_ref") && !inputs["logp_ref"].is_null()) {
    COHORT_ASSIGN_OR_RETURN(found.ref_logprobs,
                            ReadMatrix(inputs, "logp_ref", found, dtype));
  } else if (found.settings.kl_weight != 0) {
    return absl::InvalidArgumentError(
        "beta is not 0, but there is no logp_ref");
  }
  if (found.settings.off_policy.importance != ImportanceMode::kNone) {
    COHORT_ASSIGN_OR_RETURN(found.engine_logprobs,
                            ReadMatrix(inputs, "logp_sampler", found, dtype));
  }
  COHORT_ASSIGN_OR_RETURN(found.mask,
                          ReadMatrix(inputs, "mask", found, at::kBool));
  const at::Tensor lengths =
      found.mask.view({found.count, found.tokens}).sum(1);
  for (int64_t i = 0; i < found.count; ++i) {
    found.counts.lengths.push_back(lengths[i].item<int64_t>());
  }
  // One advantage per trajectory becomes a column of [B][1].
  Json column = Json::array();
  for (const Json& advantage : inputs.value("advantages", Json::array())) {
    column.push_back(Json::array({advantage}));
  }
  LossCase narrow;
  narrow.count = found.count;
  narrow.tokens = 1;
  COHORT_ASSIGN_OR_RETURN(
      const at::Tensor advantages,
      ReadMatrix(Json{{"advantages", column}}, "advantages", narrow, dtype));
  found.advantages = advantages.repeat_interleave(found.tokens);
  found.trajectories =
      at::arange(found.count, at::kLong).repeat_interleave(found.tokens);
  return found;
}

Json ToRows(const at::Tensor& flat, const LossCase& shape) {
  const at::Tensor values = flat.to(at::kDouble).contiguous();
  const double* value = values.data_ptr<double>();
  Json rows = Json::array();
  for (int64_t b = 0; b < shape.count; ++b) {
    rows.push_back(std::vector<double>(value + b * shape.tokens,
                                       value + (b + 1) * shape.tokens));
  }
  return rows;
}

// The terms of every token, those that were not sampled too. Their ratio is
// their trajectory's where that is asked for, and counts only what was sampled.
TokenTerms TermsOfAll(const LossCase& loss_case) {
  const LossTokens tokens = {loss_case.logprobs,     loss_case.sampler_logprobs,
                             loss_case.ref_logprobs, loss_case.advantages,
                             loss_case.trajectories, loss_case.engine_logprobs};
  TokenTerms all = GrpoTerms(tokens, loss_case.settings);
  if (loss_case.settings.level == RatioLevel::kToken) return all;
  const at::Tensor sampled = loss_case.mask.to(tokens.logprobs.scalar_type());
  const at::Tensor log_ratio =
      SumOverTrajectories((tokens.logprobs - tokens.sampler_logprobs) * sampled,
                          tokens.trajectories) /
      SumOverTrajectories(sampled, tokens.trajectories).clamp_min(1);
  LossTokens even = tokens;
  even.logprobs = tokens.sampler_logprobs + log_ratio;
  TokenTerms terms = GrpoTerms(even, loss_case.settings);
  terms.kl = all.kl;
  return terms;
}

Json Solve(const LossCase& loss_case) {
  const at::Tensor rows = loss_case.mask.nonzero().squeeze(1);  // [M]
  const at::Tensor logprobs =
      loss_case.logprobs.detach().clone().set_requires_grad(true);
  const auto pick = [&rows](const at::Tensor& all) {
    return all.defined() ? all.index_select(0, rows) : all;
  };
  const at::Tensor trajectories = pick(loss_case.trajectories);
  const TokenTerms sampled =
      GrpoTerms({pick(logprobs), pick(loss_case.sampler_logprobs),
                 pick(loss_case.ref_logprobs), pick(loss_case.advantages),
                 trajectories, pick(loss_case.engine_logprobs)},
                loss_case.settings);
  const at::Tensor weights = TokenWeights(loss_case.counts, loss_case.settings)
                                 .index_select(0, trajectories)
                                 .to(logprobs.scalar_type());
  const at::Tensor loss = GrpoLoss(sampled, weights, loss_case.settings);
  loss.backward();

  const at::NoGradGuard no_grad;
  const TokenTerms all = TermsOfAll(loss_case);
  Json result;
  result["loss"] = loss.item<double>();
  result["ratio"] = ToRows(all.ratio, loss_case);
  result["clipped"] = ToRows(all.clipped, loss_case);
  for (Json& row : result["clipped"]) {
    for (Json& clipped : row) clipped = clipped != 0.0;
  }
  result["per_token_policy_loss"] = ToRows(all.policy, loss_case);
  const double tokens = static_cast<double>(std::max<int64_t>(rows.size(0), 1));
  if (all.kl.defined()) {
    result["per_token_kl"] = ToRows(all.kl, loss_case);
    result["kl_mean_over_tokens"] = sampled.kl.sum().item<double>() / tokens;
  }
  result["clip_fraction"] =
      static_cast<double>(sampled.clipped.sum().item<int64_t>()) / tokens;
  result["grad_wrt_logp"] = ToRows(logprobs.grad(), loss_case);
  return result;
}

Json SolveRow(const Json& row, std::string_view dtype) {
  Json result = Json::object();
  if (row.is_object()) {
    for (const char* field : {"id", "name", "params"}) {
      if (row.contains(field)) result[field] = row[field];
    }
    if (row.contains("base") && row["base"].is_string()) {
      result["base"] = row["base"];
    }
  }
  if (row.is_object()) {
    const auto rule = SolveRule(row, dtype);
    if (!rule.ok()) {
      result["error"] = std::string(rule.status().message());
      return result;
    }
    if (rule->has_value()) {
      result.update(**rule);
      return result;
    }
  }
  const absl::StatusOr<LossCase> loss_case =
      row.is_object()
          ? ReadCase(row, dtype == "float32" ? at::kFloat : at::kDouble)
          : absl::InvalidArgumentError("not a JSON object");
  if (!loss_case.ok()) {
    result["error"] = std::string(loss_case.status().message());
    return result;
  }
  result.update(Solve(*loss_case));
  return result;
}

Json ParseOrDiscarded(std::string_view text) {
  return Json::parse(text.begin(), text.end(), nullptr,
                     /*allow_exceptions=*/false);
}

std::string Line(const Json& row) {
  return row.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace

std::string SolveLossCase(std::string_view row_json, std::string_view dtype) {
  const Json row = ParseOrDiscarded(row_json);
  std::string line = Line(SolveRow(row, dtype));
  line.pop_back();
  return line;
}

absl::StatusOr<std::string> SolveLossFile(std::string_view content,
                                          std::string_view name,
                                          std::string_view dtype) {
  std::string output;
  if (const Json whole = ParseOrDiscarded(content); whole.is_object() &&
                                                    whole.contains("losses") &&
                                                    whole.contains("bases")) {
    for (Json row : whole["losses"]) {
      const std::string base = row.is_object() ? TextOr(row, "base", "") : "";
      const Json& bases = whole["bases"];
      if (bases.is_object() && bases.contains(base) &&
          bases[base].is_object()) {
        row.update(bases[base]);
      }
      absl::StrAppend(&output, Line(SolveRow(row, dtype)));
    }
    for (const char* section :
         {"advantages", "pass_at_k", "overlong", "logits"}) {
      for (const Json& row : whole.value(section, Json::array())) {
        const Json named = row.is_object() ? row : Json{{section, row}};
        absl::StrAppend(&output, Line(SolveRow(named, dtype)));
      }
    }
    return output;
  }
  int64_t number = 0;
  for (const absl::string_view line : absl::StrSplit(
           absl::string_view(content.data(), content.size()), '\n')) {
    ++number;
    if (absl::StripAsciiWhitespace(line).empty()) continue;
    const Json row =
        ParseOrDiscarded(std::string_view(line.data(), line.size()));
    if (row.is_discarded()) {
      return absl::InvalidArgumentError(
          absl::StrCat(absl::string_view(name.data(), name.size()), ":", number,
                       ": not JSON"));
    }
    absl::StrAppend(&output, Line(SolveRow(row, dtype)));
  }
  return output;
}

}  // namespace cohort
