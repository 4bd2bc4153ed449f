#include "learner/length_reward.h"

#include <algorithm>
#include <cmath>

#include "nlohmann/json.hpp"

namespace cohort {
namespace {

constexpr double kLowestEffort = 25;
constexpr double kFullEffort = 100;

}  // namespace

double OverlongReward(int64_t tokens, int64_t limit, int64_t buffer) {
  const double over = static_cast<double>(tokens - (limit - buffer));
  return -std::clamp(over / static_cast<double>(buffer), 0.0, 1.0);
}

double EffortReward(int64_t tokens, double effort, const EffortRule& rule) {
  const double price = std::exp(-(effort - kLowestEffort) / rule.decay);
  return -std::min(rule.cap, price * static_cast<double>(tokens) / rule.per);
}

double EffortOf(const Prompt& prompt) {
  if (prompt.row_json().empty()) return kFullEffort;
  const nlohmann::json row = nlohmann::json::parse(prompt.row_json(), nullptr,
                                                   /*allow_exceptions=*/false);
  if (!row.is_object()) return kFullEffort;
  const auto effort = row.find("effort");
  if (effort == row.end() || !effort->is_number()) return kFullEffort;
  return std::clamp(effort->get<double>(), 1.0, kFullEffort);
}

double LengthScore(const RewardsConfig& rewards, int64_t limit,
                   const Prompt& prompt, const Trajectory& trajectory) {
  const int64_t tokens = trajectory.tokens_size();
  if (rewards.length == "effort") {
    return EffortReward(tokens, EffortOf(prompt),
                        {.per = rewards.effort_tokens,
                         .cap = rewards.effort_cap,
                         .decay = rewards.effort_decay});
  }
  return rewards.overlong_tokens == 0
             ? 0
             : OverlongReward(tokens, limit, rewards.overlong_tokens);
}

}  // namespace cohort
