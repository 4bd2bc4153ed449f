// Prompts -> trajectories. No tensors here, so that the worker is built and
// tested without LibTorch, with a scripted engine behind the same interface.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proto/learner.pb.h"
#include "proto/types.pb.h"

namespace cohort {

struct EngineStats {
  int64_t sampled_tokens = 0;
  int64_t prefilled_tokens = 0;
  int64_t steps = 0;
  double busy_s = 0;  // Wall seconds inside Step.
  // Guesses at a next token that were checked, and those that were right.
  int64_t drafted_tokens = 0;
  int64_t accepted_tokens = 0;
};

// Single-threaded.
class Engine {
 public:
  virtual ~Engine() = default;

  // Queues all completions of one leased prompt.
  //   kInvalidArgument  prompt and completion do not fit the model's positions
  virtual absl::Status Add(const Lease& lease) = 0;

  // Runs one engine step (prefill of waiting prompts, or one token for every
  // sequence under way) and returns the groups it finished, ungraded, in the
  // order they were added.
  virtual absl::StatusOr<std::vector<Group>> Step() = 0;

  // Completions queued or under way.
  virtual int64_t Pending() const = 0;

  // Version of the weights in force; -1 before the first.
  virtual int64_t PolicyVersion() const = 0;

  // Takes the newest weights received, if any. Called between two steps.
  virtual absl::Status ApplyNewWeights() = 0;

  virtual EngineStats stats() const = 0;
};

}  // namespace cohort
