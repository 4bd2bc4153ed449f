// Ends a process in order when SIGINT or SIGTERM asks for it.
#pragma once

#include <atomic>
#include <thread>

#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace cohort {

// Takes SIGINT and SIGTERM while it lives; a second SIGINT ends the process at
// once with exit code 130. Make one, first thing in a verb: threads started
// before it would still die of the signal. Programs that this process starts
// inherit the blocked signals, so a child must unblock them before it execs.
//
// Thread-safe.
class Shutdown {
 public:
  Shutdown();
  ~Shutdown();
  Shutdown(const Shutdown&) = delete;
  Shutdown& operator=(const Shutdown&) = delete;

  // Whether a signal has come, or Request() was called. Cheap.
  bool Requested() const { return requested_.load(); }

  // As if a signal had come.
  void Request();

  // Blocks until requested.
  void Wait();

  // Blocks until requested or `timeout` has passed. Returns Requested().
  bool WaitFor(absl::Duration timeout);

 private:
  void Watch();

  std::atomic<bool> requested_ = false;
  absl::Mutex mu_;  // For waiting on requested_ alone.
  int signal_fd_ = -1;
  int end_fd_ = -1;  // An eventfd that ends the watching thread.
  std::thread watcher_;
};

}  // namespace cohort
