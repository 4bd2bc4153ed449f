// The learner's side of sampling: what rollout workers dial, and the workers
// and the reward server of a run on one machine.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "configs/config.h"
#include "learner/experience_store.h"
#include "learner/learner_service.h"
#include "learner/lease_book.h"
#include "learner/local_services.h"
#include "learner/prompt_source.h"
#include "learner/weight_board.h"
#include "proto/credentials.h"
#include "proto/learner.pb.h"
#include "proto/rpc_server.h"

namespace cohort {

// Called from any thread when the run cannot go on.
using OnFailure = std::function<void(const absl::Status&)>;

// Single-threaded; the parts it owns are thread-safe.
class RolloutHost {
 public:
  // Begins to start the reward server, unless the config names one, and
  // returns. `config` must outlive this.
  static absl::StatusOr<std::unique_ptr<RolloutHost>> Begin(
      const Config& config, const std::string& logs_dir, OnFailure on_failure);

  ~RolloutHost();  // Stop().

  // Begins to start the local workers, which then wait to be admitted. Does
  // nothing the second time.
  void StartWorkers();

  // Asks the reward server whether it could grade these prompts. An external
  // server that does not answer is logged and not waited for.
  //   kInvalidArgument  naming the first bad prompt and how many more there are
  absl::Status CheckPrompts(const StagePrompts& prompts);

  // Listens for workers and tells the local ones so. `store` must outlive this.
  // Does nothing the second time.
  absl::Status AdmitWorkers(const JoinResponse& welcome,
                            ExperienceStore* store);

  // Tells workers that the run is over and waits for the local ones.
  void Stop();

  LeaseBook* book() { return &book_; }
  WeightBoard* board() { return &board_; }

  double CpuSeconds() const;
  int64_t restarts() const;

 private:
  RolloutHost(const Config& config, std::string bin_dir, std::string logs_dir,
              OnFailure on_failure);

  LocalServicesOptions Options() const;
  absl::StatusOr<std::string> RewardsAddress();

  const Config& config_;
  const std::string bin_dir_;
  const std::string logs_dir_;
  const OnFailure on_failure_;
  Credentials credentials_;
  LeaseBook book_;
  WeightBoard board_;
  std::unique_ptr<LocalServices> rewards_;  // Null: an external server.
  std::unique_ptr<LearnerService> service_;
  std::unique_ptr<RpcServer> server_;
  std::unique_ptr<LocalServices> workers_;  // Null until they are started.
};

}  // namespace cohort
