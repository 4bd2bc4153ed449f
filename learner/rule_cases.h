// Rows of numbers beside the objectives: rewards, pass@k, length, logits. For
// people who compare these rules with other programs.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string_view>

#include "absl/status/statusor.h"

namespace cohort {

// What `row` asks for, nullopt where it is of none of these kinds:
//   {"rewards": [[...]]}  one list per group: mean, std_ddof0, std_ddof1,
//     zero_variance_group and, as adv_*, every rule of advantage_rules.h
//   {"pass_at_k": [n, c, k]}         adds value
//   {"overlong": [L_max, L_cache, length]}  adds reward
//   {"logits": [[...]], "ids", "temperature", "ref_logits"}: logprob, entropy,
//     grad_logits_of_sum_logprob, kl_full_vs_ref (the reference at temperature
//     1, nats)
// More numbers behind the three of a list are not looked at. kInvalidArgument:
// what the row lacks.
//   dtype: "float64" or "float32", what logits are computed in
absl::StatusOr<std::optional<nlohmann::ordered_json>> SolveRule(
    const nlohmann::ordered_json& row, std::string_view dtype);

}  // namespace cohort
