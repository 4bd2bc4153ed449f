// What a completion's length costs.
#pragma once

#include <cstdint>

#include "configs/config.h"
#include "proto/types.pb.h"

namespace cohort {

// Soft overlong punishment: 0 up to `limit` - `buffer` tokens, then falling to
// -1 at `limit`, and -1 beyond. Source: DAPO (arXiv:2503.14476), equation 13.
// Requires buffer > 0.
double OverlongReward(int64_t tokens, int64_t limit, int64_t buffer);

// -min(cap, k * tokens / per) with k = exp(-(effort - 25) / decay): the higher
// the effort asked for, the cheaper a token; 25 is the lowest tier that the
// model is trained with. Source: DeepSeek-V4.1's report, reasoning effort, with
// k0 taken into `per`.
struct EffortRule {
  double per = 4096;  // Tokens.
  double cap = 1;
  double decay = 25;
};
double EffortReward(int64_t tokens, double effort, const EffortRule& rule);

// The length score of `trajectory` as `rewards` ask for it.
//   limit: rollout.max_completion_tokens
double LengthScore(const RewardsConfig& rewards, int64_t limit,
                   const Prompt& prompt, const Trajectory& trajectory);

// `effort` of the prompt's row; 100 where it has none.
double EffortOf(const Prompt& prompt);

}  // namespace cohort
