// What one thread of this machine can do at most: fused multiply-adds in
// registers, float32, and reading from memory. Prints one JSON line; the
// benchmarks show their figures as shares of it.
//
//   machine_limits [MEGABYTES=256]
#include <time.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "hwy/aligned_allocator.h"
#include "model/kernels/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "scripts/bench/machine_limits.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace cohort {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using Full = hn::ScalableTag<float>;

// Enough chains to hide the latency of one. Returns floating-point operations.
double Multiply(int64_t steps, float* sink) {
  constexpr int kChains = 12;
  const Full d;
  const auto factor = hn::Set(d, 0.999f);
  hn::Vec<Full> sums[kChains];
#pragma GCC unroll 12
  for (int i = 0; i < kChains; ++i) {
    sums[i] = hn::Set(d, static_cast<float>(i));
  }
  for (int64_t step = 0; step < steps; ++step) {
#pragma GCC unroll 12
    for (int i = 0; i < kChains; ++i) {
      sums[i] = hn::MulAdd(sums[i], factor, factor);
    }
  }
  auto total = hn::Zero(d);
#pragma GCC unroll 12
  for (int i = 0; i < kChains; ++i) total = hn::Add(total, sums[i]);
  *sink += hn::GetLane(hn::SumOfLanes(d, total));
  return 2.0 * kChains * static_cast<double>(hn::Lanes(d) * steps);
}

// Reads `floats` of them once, a multiple of 128.
void Read(const float* from, int64_t floats, float* sink) {
  constexpr int kStreams = 8;
  const Full d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  hn::Vec<Full> sums[kStreams];
#pragma GCC unroll 8
  for (int i = 0; i < kStreams; ++i) sums[i] = hn::Zero(d);
  for (int64_t at = 0; at < floats; at += kStreams * lanes) {
    __builtin_prefetch(from + at + 1024);
#pragma GCC unroll 8
    for (int i = 0; i < kStreams; ++i) {
      sums[i] = hn::Add(sums[i], hn::Load(d, from + at + i * lanes));
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < kStreams; ++i) {
    *sink += hn::GetLane(hn::SumOfLanes(d, sums[i]));
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace cohort
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace cohort {
namespace {

HWY_EXPORT(Multiply);
HWY_EXPORT(Read);

constexpr int kRounds = 7;

double CpuSeconds() {
  timespec now = {};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) +
         1e-9 * static_cast<double>(now.tv_nsec);
}

int Main(int count, char** arguments) {
  const int64_t megabytes =
      count > 1 ? std::strtoll(arguments[1], nullptr, 10) : 256;
  const int64_t floats = megabytes << 18;
  const auto memory = hwy::AllocateAligned<float>(static_cast<size_t>(floats));
  if (memory == nullptr) return 1;
  std::fill_n(memory.get(), floats, 1.0f);
  float sink = 0;
  double flops = 0;
  double bytes = 0;
  for (int round = 0; round < kRounds; ++round) {
    double start = CpuSeconds();
    const double done = HWY_DYNAMIC_DISPATCH(Multiply)(5'000'000, &sink);
    flops = std::max(flops, done / (CpuSeconds() - start));
    start = CpuSeconds();
    HWY_DYNAMIC_DISPATCH(Read)(memory.get(), floats, &sink);
    bytes = std::max(bytes,
                     4 * static_cast<double>(floats) / (CpuSeconds() - start));
  }
  std::printf("{\"gflops\": %.1f, \"gbytes_per_s\": %.1f, \"sink\": %.3g}\n",
              flops / 1e9, bytes / 1e9, static_cast<double>(sink));
  return 0;
}

}  // namespace
}  // namespace cohort

int main(int count, char** arguments) { return cohort::Main(count, arguments); }
#endif  // HWY_ONCE
