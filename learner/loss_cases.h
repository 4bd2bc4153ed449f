// Objectives over files: one JSON row in, one JSON row out. For people who
// compare objectives with other programs.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace cohort {

// A row holds `params` and the inputs [B][T], either inside `base` or beside
// it: logp, logp_old, logp_ref (absent: no penalty), mask, and advantages [B].
//   params: eps_low, eps_high, beta, kl, delta (dual clip), agg
//     (seq_mean_token_mean, token_mean, constant with lmax, seq_mean_token_sum)
// The result holds loss, ratio, clipped, per_token_policy_loss, per_token_kl,
// grad_wrt_logp (all [B][T]), kl_mean_over_tokens and clip_fraction; or
// `error`, where the row is no such case or asks for what is not built.
//   dtype: "float64" or "float32", what is computed in
std::string SolveLossCase(std::string_view row_json, std::string_view dtype);

// Rows of other rules: learner/rule_cases.h.
//
// The same for a whole input: JSONL, or one object whose `losses` name the
// inputs in its `bases`, with `advantages`, `pass_at_k`, `overlong` and
// `logits` behind them. Returns JSONL. kInvalidArgument "<name>:<line>: not
// JSON".
absl::StatusOr<std::string> SolveLossFile(std::string_view content,
                                          std::string_view name,
                                          std::string_view dtype);

}  // namespace cohort
