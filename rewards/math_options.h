// The options of a grading table's rows, as choices of a maths policy.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "nlohmann/json_fwd.hpp"

namespace cohort {

// {"float_rounding": 2, "strict": true} -> "rounding=2,variable-names-option":
// what ParseMathPolicy takes, joined to `policy` by a comma.
//   kInvalidArgument  an unknown option or value; names the known ones
absl::StatusOr<std::string> WithOptions(const std::string& policy,
                                        const nlohmann::json& opts);

}  // namespace cohort
