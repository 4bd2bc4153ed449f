// A second opinion on maths, as plain as it can be: it shares no code with the
// grader it is compared with.
#pragma once

#include <optional>
#include <string_view>

namespace cohort {

// Whether the last \boxed{...}, or else what follows the last "####", of
// `completion` is `gold`: the same letters without spaces and dollar signs, or
// both decimal numbers or fractions of such with the same value to 1e-9.
// Empty where it cannot tell: nothing marked, or no plain number on one side
// and other letters.
std::optional<bool> JudgePlainly(std::string_view gold,
                                 std::string_view completion);

}  // namespace cohort
