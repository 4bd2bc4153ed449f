// The gRPC face of the learner: proto/learner.proto over the lease book, the
// store and the weight board. Served by RpcServer as "cohort.Learner".
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "grpcpp/grpcpp.h"
#include "learner/experience_store.h"
#include "learner/lease_book.h"
#include "learner/weight_board.h"
#include "proto/credentials.h"
#include "proto/learner.grpc.pb.h"

namespace cohort {

// A name for this life of the learner: 16 hexadecimal digits, new at every
// start. A worker that outlived a learner holds weights that the resumed run
// may never make again, so its calls are refused until it joins anew.
std::string NewRunId();

// Thread-safe. One thread of gRPC's per call under way.
class LearnerService final : public Learner::Service {
 public:
  // `welcome` answers every Join; its run_id and hashes are what workers are
  // checked against. The others must outlive the service. `on_failure`, which
  // may be null, is told when the store cannot be written, so that the run must
  // end.
  LearnerService(JoinResponse welcome, LeaseBook* book, ExperienceStore* store,
                 WeightBoard* weights,
                 std::function<void(const absl::Status&)> on_failure,
                 CallGate gate = CallGate());

  grpc::Status Join(grpc::ServerContext* context, const JoinRequest* request,
                    JoinResponse* response) override;
  grpc::Status LeasePrompts(grpc::ServerContext* context,
                            const LeasePromptsRequest* request,
                            LeasePromptsResponse* response) override;
  grpc::Status SubmitGroup(grpc::ServerContext* context,
                           const SubmitGroupRequest* request,
                           SubmitGroupResponse* response) override;
  // Stands for the worker's connection: when it breaks and no other is opened
  // soon, the worker's leases are given to others.
  grpc::Status StreamWeights(grpc::ServerContext* context,
                             const StreamWeightsRequest* request,
                             grpc::ServerWriter<WeightShard>* writer) override;

  // Workers with an open stream.
  int64_t connected_workers() const;

 private:
  absl::Status CheckRun(const std::string& run_id,
                        const std::string& worker) const;
  // True: stored now; false: somebody delivered it before.
  absl::StatusOr<bool> Submit(Group group);
  absl::Status CheckAgainst(const PlannedGroup& planned, const Group& group);
  absl::Status Report(const absl::Status& store_error) const;
  void OpenStream(const std::string& worker);
  void CloseStream(const std::string& worker);

  const JoinResponse welcome_;
  LeaseBook* const book_;
  ExperienceStore* const store_;
  WeightBoard* const weights_;
  const std::function<void(const absl::Status&)> on_failure_;
  const CallGate gate_;

  mutable absl::Mutex mu_;
  std::map<std::string, int> streams_ ABSL_GUARDED_BY(mu_);
};

// A whole graded group as `lease` asked for it.
//   kInvalidArgument  with the group and the member
absl::Status CheckGroup(const Group& group, const Lease& lease);

}  // namespace cohort
