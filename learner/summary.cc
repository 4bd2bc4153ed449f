#include "learner/summary.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "configs/math_policy.h"
#include "nlohmann/json.hpp"
#include "proto/rows.h"
#include "proto/status.h"

namespace cohort {
namespace {

constexpr double kHour = 3600;  // Seconds.

std::string Number(double value, int digits) {
  return std::isnan(value) ? "-" : absl::StrFormat("%.*f", digits, value);
}

void AppendEvaluations(const RunSummary& summary, std::string* text) {
  if (std::isnan(summary.after.greedy) && std::isnan(summary.before.greedy)) {
    return;
  }
  const auto row = [text](const char* name, double before, double after,
                          int digits) {
    absl::StrAppendFormat(text, "%-28s %10s %10s\n", name,
                          Number(before, digits), Number(after, digits));
  };
  absl::StrAppendFormat(text, "%-28s %10s %10s\n", "held-out prompts", "before",
                        "after");
  row("  accuracy, greedy", summary.before.greedy, summary.after.greedy, 3);
  row("  accuracy, temperature 1", summary.before.sampled,
      summary.after.sampled, 3);
  row("  length in tokens, greedy", summary.before.greedy_tokens,
      summary.after.greedy_tokens, 1);
  row("  length in tokens, T = 1", summary.before.sampled_tokens,
      summary.after.sampled_tokens, 1);
}

void AppendCosts(const RunSummary& summary, std::string* text) {
  absl::StrAppendFormat(
      text,
      "steps %d (%d skipped), groups trained on %d, dropped %d\n"
      "tokens sampled %d, trained on %d\n"
      "wall %.1f s, CPU %.1f s, services restarted %d times\n",
      summary.steps, summary.skipped_steps, summary.groups_trained,
      summary.groups_dropped, summary.sampled_tokens, summary.trained_tokens,
      summary.wall_s, summary.cpu_s, summary.service_restarts);
  absl::StrAppendFormat(text, "CPU %.3f h, GPU %.3f h", summary.cpu_s / kHour,
                        summary.gpu_s / kHour);
  if (const double cost = CostEstimate(summary); !std::isnan(cost)) {
    absl::StrAppendFormat(text, ", cost by the config's prices %.2f", cost);
  }
  absl::StrAppend(text, "\n");
  if (summary.time_s.empty()) return;
  absl::StrAppend(text, "where the time went:");
  for (const auto& [name, seconds] : summary.time_s) {
    absl::StrAppendFormat(
        text, "  %s %.1f s (%.0f%%)", name, seconds,
        summary.wall_s > 0 ? 100 * seconds / summary.wall_s : 0.0);
  }
  absl::StrAppend(text, "\n");
}

nlohmann::ordered_json ToJson(const Evaluation& evaluation) {
  return {{"greedy", evaluation.greedy}, {"sampled", evaluation.sampled}};
}

nlohmann::ordered_json TokensToJson(const Evaluation& evaluation) {
  return {{"greedy", evaluation.greedy_tokens},
          {"sampled", evaluation.sampled_tokens}};
}

}  // namespace

double CostEstimate(const RunSummary& summary) {
  if (summary.price_per_cpu_hour == 0 && summary.price_per_gpu_hour == 0) {
    return std::numeric_limits<double>::quiet_NaN();
  }
  return summary.cpu_s / kHour * summary.price_per_cpu_hour +
         summary.gpu_s / kHour * summary.price_per_gpu_hour;
}

std::string SummaryJson(const RunSummary& summary) {
  nlohmann::ordered_json time = nlohmann::ordered_json::object();
  for (const auto& [name, seconds] : summary.time_s) time[name] = seconds;
  nlohmann::ordered_json completions = nlohmann::ordered_json::array();
  for (const CompletionPair& pair : summary.completions) {
    completions.push_back({{"prompt", pair.prompt},
                           {"answer", pair.answer},
                           {"before", pair.before},
                           {"after", pair.after}});
  }
  const nlohmann::ordered_json json = {
      {"accuracy_before", ToJson(summary.before)},
      {"accuracy_after", ToJson(summary.after)},
      {"completion_tokens_before", TokensToJson(summary.before)},
      {"completion_tokens_after", TokensToJson(summary.after)},
      {"steps", summary.steps},
      {"skipped_steps", summary.skipped_steps},
      {"tokens", summary.sampled_tokens},
      {"trained_tokens", summary.trained_tokens},
      {"groups_trained", summary.groups_trained},
      {"groups_dropped", summary.groups_dropped},
      {"service_restarts", summary.service_restarts},
      {"wall_s", summary.wall_s},
      {"cpu_s", summary.cpu_s},
      {"cpu_hours", summary.cpu_s / kHour},
      {"gpu_hours", summary.gpu_s / kHour},
      {"cost_estimate", CostEstimate(summary)},
      {"time_s", time},
      {"math_policy_version", kMathPolicyVersion},
      {"checkpoint", summary.checkpoint},
      {"completions", completions}};
  // Completions may stop in the middle of a character.
  return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) +
         "\n";
}

std::string SummaryText(const RunSummary& summary) {
  std::string text;
  AppendEvaluations(summary, &text);
  AppendCosts(summary, &text);
  for (const CompletionPair& pair : summary.completions) {
    absl::StrAppend(&text, "\nprompt  ", pair.prompt, "\n");
    if (!pair.answer.empty()) {
      absl::StrAppend(&text, "answer  ", pair.answer, "\n");
    }
    absl::StrAppend(&text, "before  ", pair.before, "\nafter   ", pair.after,
                    "\n");
  }
  if (!summary.checkpoint.empty()) {
    absl::StrAppend(&text, "\ncheckpoint  ", summary.checkpoint, "\n");
  }
  return text;
}

absl::Status WriteSummary(const RunSummary& summary, const RunDir& dir) {
  COHORT_RETURN_IF_ERROR(
      WriteFileAtomically(dir.summary_json(), SummaryJson(summary)));
  return WriteFileAtomically(dir.summary_text(), SummaryText(summary));
}

}  // namespace cohort
