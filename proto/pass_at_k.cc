#include "proto/pass_at_k.h"

#include <map>

#include "proto/check.h"

namespace cohort {

double PassAtK(int64_t n, int64_t c, int64_t k) {
  COHORT_CHECK(1 <= k && k <= n && 0 <= c && c <= n);
  // C(n - c, k) / C(n, k), factor by factor: each is at most 1, so that nothing
  // overflows. One of them is 0 where k > n - c.
  double none_correct = 1;
  for (int64_t i = 0; i < k; ++i) {
    if (n - c - i <= 0) return 1;
    none_correct *= static_cast<double>(n - c - i) / static_cast<double>(n - i);
  }
  return 1 - none_correct;
}

std::optional<int64_t> MajorityVote(absl::Span<const int32_t> classes) {
  struct Votes {
    int64_t first;
    int64_t count = 0;
  };
  std::map<int32_t, Votes> votes;
  const Votes* best = nullptr;
  for (size_t i = 0; i < classes.size(); ++i) {
    if (classes[i] < 0) continue;
    ++votes.try_emplace(classes[i], Votes{static_cast<int64_t>(i)})
          .first->second.count;
  }
  for (const auto& [unused, counted] : votes) {
    const bool better =
        best == nullptr || counted.count > best->count ||
        (counted.count == best->count && counted.first < best->first);
    if (better) best = &counted;
  }
  if (best == nullptr) return std::nullopt;
  return best->first;
}

}  // namespace cohort
