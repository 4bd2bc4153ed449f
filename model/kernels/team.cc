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

uint64_t GenerationOf(uint64_t state) { return state >> (2 * kNumberBits); }
uint64_t CountOf(uint64_t state) {
  return (state >> kNumberBits) & kNumberMask;
}
uint64_t NextOf(uint64_t state) { return state & kNumberMask; }

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

Team::Team(int threads) {
  COHORT_CHECK(threads >= 1);
  for (int i = 1; i < threads; ++i) {
    workers_.emplace_back([this] { Serve(); });
  }
}

Team::~Team() {
  stop_ = true;
  ++calls_;
  calls_.notify_all();
}

void Team::Work(uint64_t generation) {
  uint64_t state = state_.load();
  while (GenerationOf(state) == generation && NextOf(state) < CountOf(state)) {
    // Read before the item is taken: that succeeds only while the work of this
    // generation is not done, so that `run` is alive.
    const auto* const run = run_.load();
    if (!state_.compare_exchange_weak(state, state + 1)) continue;
    (*run)(static_cast<int64_t>(NextOf(state)));
    if (done_.fetch_add(1) + 1 == CountOf(state)) done_.notify_one();
    state = state_.load();
  }
}

void Team::Serve() {
  uint64_t seen = 0;
  const auto called = [&] {
    return stop_ || GenerationOf(state_.load()) != seen;
  };
  while (true) {
    if (!SpinUntil(called)) {
      const uint32_t calls = calls_.load();
      ++sleepers_;
      // Work published before `sleepers_` rose is seen here; later work calls.
      if (!called()) calls_.wait(calls);
      --sleepers_;
    }
    if (stop_) return;
    seen = GenerationOf(state_.load());
    Work(seen);
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
  done_ = 0;
  state_ = generation_ << (2 * kNumberBits) | static_cast<uint64_t>(count)
                                                  << kNumberBits;
  if (sleepers_.load() > 0) {
    ++calls_;
    calls_.notify_all();
  }
  Work(generation_);
  const auto done = [&] {
    return done_.load() == static_cast<uint32_t>(count);
  };
  if (SpinUntil(done)) return;
  for (uint32_t so_far = done_.load(); !done(); so_far = done_.load()) {
    if (so_far != static_cast<uint32_t>(count)) done_.wait(so_far);
  }
}

}  // namespace cohort
