// Threads that meet many times in one step of decoding. LibTorch's pool
// (model/kernels/parallel.h) lets its threads spin for milliseconds after each
// use, which on a busy machine takes the time of others; these spin for some
// microseconds and then sleep.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <thread>
#include <vector>

namespace cohort {

// Single-threaded: one caller at a time.
class Team {
 public:
  // `threads` >= 1, the caller's own among them.
  explicit Team(int threads);
  ~Team();
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  // Calls `run(i)` once for every i in [0, count), on any thread in any order,
  // and returns when all are done. An item is taken by whichever thread is
  // free: the caller does them all where the others get no time. Requires count
  // below a million.
  void ForEach(int64_t count, const std::function<void(int64_t)>& run);

 private:
  void Serve();
  // Does items of `generation` until none is left to be taken.
  void Work(uint64_t generation);

  // Generation of the work under way (24 bits), its number of items and the
  // next one to be taken (20 bits each).
  std::atomic<uint64_t> state_ = 0;
  std::atomic<const std::function<void(int64_t)>*> run_ = nullptr;
  std::atomic<uint32_t> done_ = 0;   // Items of this generation.
  std::atomic<uint32_t> calls_ = 0;  // To those that sleep.
  std::atomic<uint32_t> sleepers_ = 0;
  std::atomic<bool> stop_ = false;
  uint64_t generation_ = 0;
  std::vector<std::jthread> workers_;
};

}  // namespace cohort
