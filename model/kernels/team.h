// Threads that meet many times in one step of decoding. LibTorch's pool
// (model/kernels/parallel.h) lets its threads spin for milliseconds after each
// use, which on a busy machine takes the time of others; these spin for some
// microseconds and then sleep.
#pragma once

#include <atomic>
#include <cstddef>
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

  int threads() const { return static_cast<int>(shares_.size()); }

  // Whose share item i of `count` is in.
  int64_t ThreadOf(int64_t i, int64_t count) const {
    return ((i + 1) * threads() - 1) / count;
  }

  // Calls `run(i)` once for every i in [0, count), on any thread in any order,
  // and returns when all are done. Each thread begins with its own share of
  // neighbours, ascending, so that it may know what it will need next; one that
  // has nothing left takes from the ends of the others' shares, and the caller
  // does them all where the others get no time. Requires count below a million.
  void ForEach(int64_t count, const std::function<void(int64_t)>& run);

 private:
  // What is left of a thread's share: generation of the work (24 bits), its
  // first item and the one behind its last (20 bits each).
  struct alignas(64) Share {
    std::atomic<uint64_t> left = 0;
  };

  void Serve(size_t thread);
  // Does items of `generation`, its own thread's first, until none is left.
  void Work(uint64_t generation, size_t thread);
  void WorkOn(uint64_t generation, bool own, Share* share);

  std::vector<Share> shares_;  // By thread; the caller's is the first.
  std::atomic<uint64_t> published_ = 0;  // Generation of the work under way.
  std::atomic<uint32_t> count_ = 0;      // Of its items.
  std::atomic<const std::function<void(int64_t)>*> run_ = nullptr;
  std::atomic<uint32_t> done_ = 0;   // Items of this generation.
  std::atomic<uint32_t> calls_ = 0;  // To those that sleep.
  std::atomic<uint32_t> sleepers_ = 0;
  std::atomic<bool> stop_ = false;
  uint64_t generation_ = 0;
  std::vector<std::jthread> workers_;
};

}  // namespace cohort
