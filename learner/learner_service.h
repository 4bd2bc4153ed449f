// The gRPC face of the learner: proto/learner.proto over the lease book, the
// store and the weight board.
#pragma once

#include <cstdint>
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
  // checked against. The others must outlive the service.
  LearnerService(JoinResponse welcome, LeaseBook* book, ExperienceStore* store,
                 WeightBoard* weights);

  grpc::Status Join(grpc::ServerContext* context, const JoinRequest* request,
                    JoinResponse* response) override;
  grpc::Status LeasePrompts(grpc::ServerContext* context,
                            const LeasePromptsRequest* request,
                            LeasePromptsResponse* response) override;
  grpc::Status SubmitGroup(grpc::ServerContext* context,
                           const SubmitGroupRequest* request,
                           SubmitGroupResponse* response) override;
  // Stands for the worker's connection: when the last of a worker's streams
  // breaks, its leases are given to others.
  grpc::Status StreamWeights(grpc::ServerContext* context,
                             const StreamWeightsRequest* request,
                             grpc::ServerWriter<WeightShard>* writer) override;

  // Workers with an open stream.
  int64_t connected_workers() const;

 private:
  absl::Status CheckRun(const std::string& run_id,
                        const std::string& worker) const;
  absl::StatusOr<bool> Submit(const SubmitGroupRequest& request);
  void OpenStream(const std::string& worker);
  void CloseStream(const std::string& worker);

  const JoinResponse welcome_;
  LeaseBook* const book_;
  ExperienceStore* const store_;
  WeightBoard* const weights_;

  mutable absl::Mutex mu_;
  std::map<std::string, int> streams_ ABSL_GUARDED_BY(mu_);
};

// A whole graded group as `lease` asked for it.
//   kInvalidArgument  naming the group and the member
absl::Status CheckGroup(const Group& group, const Lease& lease);

// A started server and the port it listens on.
struct LearnerServer {
  std::unique_ptr<grpc::Server> server;
  std::string address;  // HOST:PORT, the port never 0.
};

// Listens on `address` (HOST:PORT, port 0 picks a free one). `service` must
// outlive the server. kUnavailable when the address cannot be listened on.
absl::StatusOr<LearnerServer> StartLearnerServer(const std::string& address,
                                                 LearnerService* service);

}  // namespace cohort
