#include "learner/export_row.h"

#include <charconv>
#include <cmath>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "learner/export_text.h"
#include "proto/json_text.h"
#include "proto/rows.h"

namespace cohort {
namespace {

void AppendKey(std::string_view key, std::string* out) {
  *out += ",\"";
  *out += key;
  *out += "\":";
}

void AppendText(std::string_view key, std::string_view text, std::string* out) {
  AppendKey(key, out);
  AppendJsonText(text, out);
}

template <typename T>
void AppendNumber(std::string_view key, T number, std::string* out) {
  AppendKey(key, out);
  if (!std::isfinite(static_cast<double>(number))) {
    *out += "null";
    return;
  }
  char digits[32];
  char* const end = std::to_chars(digits, digits + sizeof(digits), number).ptr;
  out->append(digits, end);
}

void AppendTokens(std::string_view key,
                  const google::protobuf::RepeatedField<int32_t>& tokens,
                  std::string* out) {
  AppendKey(key, out);
  char separator = '[';
  for (const int32_t token : tokens) {
    *out += separator;
    separator = ',';
    char digits[16];
    char* const end = std::to_chars(digits, digits + sizeof(digits), token).ptr;
    out->append(digits, end);
  }
  *out += tokens.empty() ? "[]" : "]";
}

void AppendMessage(std::string_view role, std::string_view content,
                   std::string* out) {
  *out += "{\"role\":";
  AppendJsonText(role, out);
  AppendText("content", content, out);
  *out += '}';
}

std::string SamplingJson(const RolloutConfig& rollout, int64_t seed) {
  std::string json;
  AppendNumber("temperature", rollout.temperature, &json);
  AppendNumber("top_p", rollout.top_p, &json);
  AppendNumber("top_k", rollout.top_k, &json);
  AppendNumber("max_completion_tokens", rollout.max_completion_tokens, &json);
  AppendNumber("group_size", rollout.group_size, &json);
  AppendNumber("seed", seed, &json);
  return absl::StrCat("{", json.substr(1), "}");
}

std::string_view FinishName(FinishReason reason) {
  return reason == FINISH_REASON_STOP     ? "stop"
         : reason == FINISH_REASON_LENGTH ? "length"
                                          : "unspecified";
}

}  // namespace

ExportRows::ExportRows(const Config& config, bool token_ids)
    : token_ids_(token_ids) {
  for (const StageConfig& stage : config.stages) {
    sampling_[stage.name] = SamplingJson(stage.rollout, config.run.seed);
  }
}

void ExportRows::BeginGroup(const Group& group, double pass_rate) {
  group_ = &group;
  const Prompt& prompt = group.prompt();
  before_ = "{\"messages\":[";
  if (prompt.messages().empty()) AppendMessage("user", prompt.text(), &before_);
  for (const Message& message : prompt.messages()) {
    if (before_.back() == '}') before_ += ',';
    AppendMessage(message.role(), message.content(), &before_);
  }
  before_ += ',';

  behind_.clear();
  AppendNumber("group_pass_rate", pass_rate, &behind_);
  AppendText("group_id", group.id(), &behind_);
  AppendText("prompt_id", prompt.id(), &behind_);
  AppendText("stage", group.occurrence().stage(), &behind_);
  AppendText("verifier", prompt.verifier(), &behind_);
  AppendText("reference_answer", prompt.answer(), &behind_);
  AppendText("source", prompt.source(), &behind_);
  AppendKey("sampling", &behind_);
  const auto sampling = sampling_.find(group.occurrence().stage());
  behind_ += sampling == sampling_.end() ? "null" : sampling->second;
  if (token_ids_) AppendTokens("prompt_ids", prompt.tokens(), &behind_);
}

bool ExportRows::Append(int member, std::string* out) const {
  const Trajectory& trajectory = group_->trajectories(member);
  const Grade& grade = trajectory.grade();
  *out += before_;
  *out += "{\"role\":\"assistant\",\"content\":";
  const bool well_formed = AppendJsonText(trajectory.text(), out);
  *out += "}]";
  AppendText("reasoning",
             ReasoningOf(trajectory.text(), group_->prompt().format()), out);
  AppendText("answer", grade.extracted(), out);
  AppendText("verdict", VerdictName(grade.verdict()), out);
  AppendNumber("score", grade.score(), out);
  AppendNumber("format", grade.format(), out);
  AppendNumber("reward", trajectory.reward(), out);
  AppendText("reason", grade.reason(), out);
  AppendNumber("member", member, out);
  AppendText("finish_reason", FinishName(trajectory.finish_reason()), out);
  AppendNumber("completion_tokens", trajectory.tokens_size(), out);
  const auto& versions = trajectory.versions();
  const int64_t first = versions.empty() ? -1 : versions.begin()->version();
  const int64_t last = versions.empty() ? -1 : versions.rbegin()->version();
  AppendNumber("policy_version", first, out);
  AppendNumber("last_policy_version", last, out);
  AppendKey("weights_hash", out);
  const auto hash = weight_hashes_.find(first);
  if (hash == weight_hashes_.end()) {
    *out += "null";
  } else {
    AppendJsonText(hash->second, out);
  }
  *out += behind_;
  if (token_ids_) AppendTokens("completion_ids", trajectory.tokens(), out);
  *out += "}\n";
  return well_formed;
}

std::vector<ParquetColumn> ExportRows::Columns() const {
  constexpr ParquetType kText = ParquetType::kText;
  constexpr ParquetType kWhole = ParquetType::kWhole;
  constexpr ParquetType kNumber = ParquetType::kNumber;
  std::vector<ParquetColumn> columns = {
      {"messages", ParquetType::kStructs, {{"role"}, {"content"}}},
      {"reasoning", kText},
      {"answer", kText},
      {"verdict", kText},
      {"score", kNumber},
      {"format", kNumber},
      {"reward", kNumber},
      {"reason", kText},
      {"member", kWhole},
      {"finish_reason", kText},
      {"completion_tokens", kWhole},
      {"policy_version", kWhole},
      {"last_policy_version", kWhole},
      {"weights_hash", kText},
      {"group_pass_rate", kNumber},
      {"group_id", kText},
      {"prompt_id", kText},
      {"stage", kText},
      {"verifier", kText},
      {"reference_answer", kText},
      {"source", kText},
      {"sampling",
       ParquetType::kStruct,
       {{"temperature", kNumber},
        {"top_p", kNumber},
        {"top_k", kWhole},
        {"max_completion_tokens", kWhole},
        {"group_size", kWhole},
        {"seed", kWhole}}}};
  if (token_ids_) {
    columns.push_back({"prompt_ids", ParquetType::kTokens});
    columns.push_back({"completion_ids", ParquetType::kTokens});
  }
  return columns;
}

}  // namespace cohort
