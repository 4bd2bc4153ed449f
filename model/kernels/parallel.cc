#include "model/kernels/parallel.h"

#include <algorithm>

namespace cohort {

// About 50 us of arithmetic on one core.
constexpr double kCostPerThread = 2.5e6;

void ForRanges(int64_t count, double cost, int threads,
               const std::function<void(int64_t, int64_t)>& run) {
  const double wanted = static_cast<double>(count) * cost / kCostPerThread;
  const int64_t parts = std::min<int64_t>(
      {threads, count, wanted < 1 ? 1 : static_cast<int64_t>(wanted)});
  if (parts <= 1) {
    if (count > 0) run(0, count);
    return;
  }
#pragma omp parallel for num_threads(static_cast <int>(parts)) schedule(static)
  for (int64_t part = 0; part < parts; ++part) {
    run(count * part / parts, count * (part + 1) / parts);
  }
}

}  // namespace cohort
