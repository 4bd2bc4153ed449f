// The gRPC face of the graders.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "proto/credentials.h"
#include "proto/rewards.grpc.pb.h"
#include "rewards/audit.h"
#include "rewards/grade_pool.h"
#include "rewards/graders.h"
#include "rewards/service_metrics.h"
#include "rewards/turn_queue.h"

namespace cohort {

// What the service stands on; all outlive it.
struct RewardsParts {
  const GraderMap* graders = nullptr;
  GradePool* pool = nullptr;
  ServiceMetrics* metrics = nullptr;
  Auditor* auditor = nullptr;  // Null: nothing is audited.
};

struct RewardsLimits {
  // Calls that grade at a time on this machine, and as many again that wait for
  // a grader elsewhere.
  int workers = 2;
  // Calls that may wait for their turn; more are refused with a hint.
  int max_waiting = 512;
};

// Thread-safe: gRPC calls it from threads of its own.
class RewardsService final : public Rewards::Service {
 public:
  RewardsService(const RewardsParts& parts, const RewardsLimits& limits,
                 CallGate gate = CallGate());

  grpc::Status Grade(grpc::ServerContext* context, const GradeRequest* request,
                     GradeResponse* response) override;
  grpc::Status CheckPrompts(grpc::ServerContext* context,
                            const CheckPromptsRequest* request,
                            CheckPromptsResponse* response) override;
  grpc::Status GroupEqual(grpc::ServerContext* context,
                          const GroupEqualRequest* request,
                          GroupEqualResponse* response) override;

  // Grades all of `request` by `deadline`; see proto/rewards.proto for errors.
  // Blocks while all workers are busy. On an error `response` is empty, and
  // with kResourceExhausted *retry_after says when to come back.
  // A long request ends early where `gone` says that nobody waits for it.
  absl::Status GradeAll(const GradeRequest& request, absl::Time deadline,
                        GradeResponse* response, absl::Duration* retry_after,
                        const std::function<bool()>& gone = nullptr);

  // Calls that wait for a turn, and that have one.
  int64_t waiting() const;
  int64_t busy() const;

 private:
  absl::Status Run(const GradeRequest& request, absl::Time deadline,
                   GradeResponse* response, absl::Duration* retry_after,
                   const std::function<bool()>& gone = nullptr);
  void Count(const GradeRequest& request, const absl::Status& status,
             const GradeResponse& response, absl::Duration elapsed);

  const RewardsParts parts_;
  const CallGate gate_;
  TurnQueue turns_;
  TurnQueue elsewhere_turns_;
};

}  // namespace cohort
