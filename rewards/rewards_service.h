// The gRPC face of the graders.
#pragma once

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "proto/rewards.grpc.pb.h"
#include "rewards/graders.h"

namespace cohort {

// Thread-safe: gRPC calls it from threads of its own. At most `workers` calls
// grade at a time; the others wait for their turn or their deadline.
class RewardsService final : public Rewards::Service {
 public:
  // `graders` must outlive the service. Requires workers >= 1.
  RewardsService(const GraderMap* graders, int workers);

  grpc::Status Grade(grpc::ServerContext* context, const GradeRequest* request,
                     GradeResponse* response) override;
  grpc::Status CheckPrompts(grpc::ServerContext* context,
                            const CheckPromptsRequest* request,
                            CheckPromptsResponse* response) override;

  // Grades all of `request` by `deadline`; see proto/rewards.proto for errors.
  // Blocks while all workers are busy. On an error `response` is empty.
  absl::Status GradeAll(const GradeRequest& request, absl::Time deadline,
                        GradeResponse* response);

 private:
  absl::Status TakeTurn(const Prompt& prompt, absl::Time deadline)
      ABSL_LOCKS_EXCLUDED(mu_);
  void EndTurn() ABSL_LOCKS_EXCLUDED(mu_);

  const GraderMap& graders_;
  absl::Mutex mu_;
  int free_workers_ ABSL_GUARDED_BY(mu_);
};

}  // namespace cohort
