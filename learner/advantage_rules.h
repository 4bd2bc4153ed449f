// Rewards of a group -> advantages: the rules as numbers, each with its source.
// All are exactly 0 for a group whose rewards are all equal, where the mean is
// subtracted.
#pragma once

#include <vector>

#include "absl/types/span.h"

namespace cohort {

double MeanOf(absl::Span<const double> values);

// Standard deviation, dividing by size - ddof; 0 where that is not positive,
// and exactly 0 where all are equal.
double StdOf(absl::Span<const double> values, int ddof);

// r - mean. Dr. GRPO (arXiv:2503.20783), equation 3.
std::vector<double> Centred(absl::Span<const double> rewards);

// (r - mean) / (divisor + floor); all 0 where that is 0. With the group's own
// standard deviation: DeepSeekMath (arXiv:2402.03300), section 4.1.2. With that
// of all rewards of a step: the baseline form of REINFORCE++
// (arXiv:2501.03262), section 3.
std::vector<double> Standardised(absl::Span<const double> rewards,
                                 double divisor, double floor);

// r - mean of the others, equally size / (size - 1) * (r - mean). RLOO
// (arXiv:2402.14740), equation 8. All 0 for a group of one.
std::vector<double> LeaveOneOut(absl::Span<const double> rewards);

// Advantages of tokens, so that their mean is 0 and their deviation 1 over all
// tokens of a step. REINFORCE++ (arXiv:2501.03262), equation 4.
//   returns: one list per trajectory, of one number for each token
void WhitenTokens(std::vector<std::vector<double>>* returns);

}  // namespace cohort
