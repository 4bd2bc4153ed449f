// pass@k and majority votes over the completions of one prompt.
#pragma once

#include <cstdint>
#include <optional>

#include "absl/types/span.h"

namespace cohort {

// The chance that at least one of k completions, drawn without replacement from
// n of which c are correct, is correct: 1 - C(n - c, k) / C(n, k). Its mean
// over prompts estimates pass@k without bias.
// Requires 1 <= k <= n and 0 <= c <= n.
// Source: Chen et al. 2021 (arXiv 2107.03374), equation 1.
double PassAtK(int64_t n, int64_t c, int64_t k);

// The place of the first completion of the largest class, of two that are as
// large the one that came first; nullopt where no completion has a class.
//   classes: one per completion; below 0: no answer was found, no vote
// Source: Wang et al. 2022 (arXiv 2203.11171), the unweighted majority.
std::optional<int64_t> MajorityVote(absl::Span<const int32_t> classes);

}  // namespace cohort
