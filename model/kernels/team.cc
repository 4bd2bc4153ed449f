#include "model/kernels/team.h"

#include <chrono>

#include "proto/check.h"

namespace cohort {
namespace {

constexpr int kNumberBits = 20;
constexpr uint64_t kNumberMask = (uint64_t{1} << kNumberBits) - 1;
constexpr uint64_t kGenerationMask = (uint64_t{1} << 24) - 1;
// About as long as a step's stretches on one thread, and as waking a sleeper.
constexpr std::chrono::microseconds kSpin(30);

uint64_t GenerationOf(uint64_t left) { return left >> (2 * kNumberBits); }
uint64_t FirstOf(uint64_t left) { return (left >> kNumberBits) & kNumberMask; }
uint64_t EndOf(uint64_t left) { return left & kNumberMask; }
uint64_t Left(uint64_t generation, int64_t first, int64_t end) {
  return generation << (2 * kNumberBits) |
         static_cast<uint64_t>(first) << kNumberBits |
         static_cast<uint64_t>(end);
}

void Pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Whether `ready` became true within kSpin.
template <typename Ready>
bool SpinUntil(const Ready& ready) {
  const auto end = std::chrono::steady_clock::now() + kSpin;
  do {
    for (int i = 0; i < 16; ++i) {
      if (ready()) return true;
      Pause();
    }
  } while (std::chrono::steady_clock::now() < end);
  return ready();
}

}  // namespace

Team::Team(int threads) : shares_(static_cast<size_t>(threads)) {
  COHORT_CHECK(threads >= 1);
  for (size_t thread = 1; thread < shares_.size(); ++thread) {
    workers_.emplace_back([this, thread] { Serve(thread); });
  }
}

Team::~Team() {
  stop_ = true;
  ++calls_;
  calls_.notify_all();
}

void Team::WorkOn(uint64_t generation, bool own, Share* share) {
  uint64_t left = share->left.load();
  while (GenerationOf(left) == generation && FirstOf(left) < EndOf(left)) {
    // Read before the item is taken: that succeeds only while the work of this
    // generation is not done, so that `run` is alive.
    const auto* const run = run_.load();
    const uint32_t count = count_.load();
    const uint64_t rest = own ? left + (uint64_t{1} << kNumberBits) : left - 1;
    if (!share->left.compare_exchange_weak(left, rest)) continue;
    (*run)(static_cast<int64_t>(own ? FirstOf(left) : EndOf(rest)));
    if (done_.fetch_add(1) + 1 == count) done_.notify_one();
    left = share->left.load();
  }
}

void Team::Work(uint64_t generation, size_t thread) {
  for (size_t i = 0; i < shares_.size(); ++i) {
    WorkOn(generation, /*own=*/i == 0, &shares_[(thread + i) % shares_.size()]);
  }
}

void Team::Serve(size_t thread) {
  uint64_t seen = 0;
  const auto called = [&] { return stop_ || published_.load() != seen; };
  while (true) {
    if (!SpinUntil(called)) {
      const uint32_t calls = calls_.load();
      ++sleepers_;
      // Work published before `sleepers_` rose is seen here; later work calls.
      if (!called()) calls_.wait(calls);
      --sleepers_;
    }
    if (stop_) return;
    seen = published_.load();
    Work(seen, thread);
  }
}

void Team::ForEach(int64_t count, const std::function<void(int64_t)>& run) {
  COHORT_CHECK(count >= 0 && static_cast<uint64_t>(count) <= kNumberMask);
  if (workers_.empty() || count <= 1) {
    for (int64_t i = 0; i < count; ++i) run(i);
    return;
  }
  generation_ = (generation_ + 1) & kGenerationMask;
  run_ = &run;
  count_ = static_cast<uint32_t>(count);
  done_ = 0;
  for (int64_t thread = 0; thread < threads(); ++thread) {
    shares_[static_cast<size_t>(thread)].left =
        Left(generation_, count * thread / threads(),
             count * (thread + 1) / threads());
  }
  published_ = generation_;
  if (sleepers_.load() > 0) {
    ++calls_;
    calls_.notify_all();
  }
  Work(generation_, /*thread=*/0);
  const auto done = [&] {
    return done_.load() == static_cast<uint32_t>(count);
  };
  if (SpinUntil(done)) return;
  for (uint32_t so_far = done_.load(); !done(); so_far = done_.load()) {
    if (so_far != static_cast<uint32_t>(count)) done_.wait(so_far);
  }
}

}  // namespace cohort
