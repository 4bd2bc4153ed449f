// Splits rows over threads. Kernels split rows and columns of results, never a
// sum, so that no result depends on the number of threads.
#pragma once

#include <cstdint>
#include <functional>

namespace cohort {

// Calls `run(begin, end)` for ranges that together cover [0, count), on up to
// `threads` threads, and returns when all are done. `cost`: of one item, in
// multiply-adds or the like; work too small to be worth a second thread stays
// on this one.
void ForRanges(int64_t count, double cost, int threads,
               const std::function<void(int64_t, int64_t)>& run);

}  // namespace cohort
