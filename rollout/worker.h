// A rollout worker: lease -> sample -> grade -> submit. A pure client of the
// learner and of the reward server; it owns a group from lease to
// acknowledgement.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <stop_token>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "proto/learner.grpc.pb.h"
#include "proto/rewards.grpc.pb.h"
#include "proto/rpc.h"
#include "rollout/bounded_queue.h"
#include "rollout/engine.h"
#include "rollout/weight_receiver.h"

namespace cohort {

struct WorkerSettings {
  std::string name;
  std::string run_id;
  int lease_prompts = 4;    // Asked for at a time, so that workers share.
  int group_size = 16;      // Estimates how many groups there is room for.
  int max_sequences = 256;  // Under way in the engine.
  int graders = 2;          // Groups graded and delivered at the same time.
  // How long a learner or a reward server may be gone before the worker ends.
  absl::Duration patience = absl::Minutes(2);
  // How long one group may be graded, all attempts together.
  absl::Duration grade_timeout = absl::Minutes(2);
  // How long the learner may keep an unanswered call for prompts.
  absl::Duration lease_wait = absl::Seconds(1);
};

// Introduces the worker to the learner; waits for a learner that is not there
// yet.
//   kFailedPrecondition  the worker brought another model or tokenizer
//   kUnavailable         no learner within `patience`
absl::StatusOr<JoinResponse> JoinRun(Learner::StubInterface* learner,
                                     const JoinRequest& request,
                                     absl::Duration patience,
                                     const std::stop_token& stop);

class Worker {
 public:
  // All must outlive the worker; `engine` is used by the thread in Run alone.
  Worker(const WorkerSettings& settings, Learner::StubInterface* learner,
         Rewards::StubInterface* rewards, Engine* engine,
         WeightReceiver* weights);

  // Works until the run is finished or `stop` (OK), or until nothing more can
  // be done:
  //   kUnavailable         learner or reward server gone for too long
  //   kFailedPrecondition  the learner is another process now, or its weights
  //                        are of another model: join again
  //   any other            a broken engine
  absl::Status Run(const std::stop_token& stop);

 private:
  struct LeasedPrompt {
    Lease lease;
    int64_t newest_version;          // What the learner had published by then.
    int64_t usable_after_taken = 0;  // Weights to be taken first, by count.
  };

  // The body of each of the threads; an error ends all of them.
  absl::Status LeaseAll();
  absl::Status SampleAll();
  absl::Status DeliverAll();

  absl::Status TakeLeases();
  absl::Status GradeGroup(Group* group);
  absl::Status SubmitGroup(const Group& group);
  absl::Status Call(
      absl::Duration call_timeout, absl::Duration total_timeout,
      const std::function<grpc::Status(grpc::ClientContext&)>& attempt);

  int64_t RoomForPrompts() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool HasRoom() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return stopped_ || RoomForPrompts() > 0;
  }
  void End(const absl::Status& status);

  const WorkerSettings settings_;
  Learner::StubInterface* const learner_;
  Rewards::StubInterface* const rewards_;
  Engine* const engine_;
  WeightReceiver* const weights_;

  BoundedQueue<Lease> leased_;
  BoundedQueue<Group> sampled_;
  std::deque<Lease> waiting_;  // For weights; the sampling thread's own.

  std::stop_source stop_;
  absl::Mutex mu_;
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;
  absl::Status result_ ABSL_GUARDED_BY(mu_);
  // Completions leased and not yet sampled, as estimated.
  int64_t unsampled_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace cohort
