// The reward server and the rollout workers of a run on one machine: the
// binaries a cluster runs, as children, speaking gRPC on loopback.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace cohort {

struct LocalServicesOptions {
  std::string bin_dir;  // Folder of cohort-rewards and cohort-rollout.
  std::string logs_dir;
  bool reward_server = false;                 // Whether to start one.
  std::vector<std::string> reward_arguments;  // After --listen.
  int workers = 0;
  std::vector<std::string> worker_arguments;  // After --learner and --rewards.

  absl::Duration ready_timeout = absl::Seconds(30);
  absl::Duration poll = absl::Milliseconds(100);
  absl::Duration first_backoff = absl::Milliseconds(200);
  absl::Duration max_backoff = absl::Seconds(10);
  // A child that lived this long begins again with the first backoff.
  absl::Duration healthy_after = absl::Seconds(30);
  // Deaths of one child in a row, each before `healthy_after`, until given up.
  int max_failures = 8;
  // Called once, from the watching thread, when a child was given up: the run
  // cannot go on. May be null.
  std::function<void(const absl::Status&)> on_give_up;
};

// Thread-safe. A thread of its own starts the children, watches them, starts
// the dead again, and ends them; it must be the one that forks them, because
// they die with it.
//
// Workers take longest to start, so they can be started before there is a
// learner to dial: they read the addresses from their standard input.
class LocalServices {
 public:
  // Returns at once; the children are started meanwhile.
  explicit LocalServices(LocalServicesOptions options);

  ~LocalServices();  // Stop().

  // SIGTERM to all, SIGKILL after a while; returns when all have ended.
  void Stop();

  // Blocks until the workers are started and the reward server listens.
  //   kNotFound  a binary is missing: with its path
  absl::Status AwaitStarted();

  // Where the reward server listens; empty before AwaitStarted().
  std::string rewards_address() const;

  // Tells the workers, also those that are started later, whom to dial.
  void TellWorkers(const std::string& learner, const std::string& rewards);

  int64_t restarts() const;

  // CPU seconds of all children, the dead ones included.
  double CpuSeconds() const;

 private:
  class Watcher;

  std::unique_ptr<Watcher> watcher_;
};

}  // namespace cohort
