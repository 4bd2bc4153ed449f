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
#include "learner/policy_folder.h"
#include "learner/run_dir.h"
#include "learner/stage_data.h"
#include "learner/weight_board.h"
#include "proto/credentials.h"
#include "proto/rpc_server.h"

namespace cohort {

// Called from any thread when the run cannot go on.
using OnFailure = std::function<void(const absl::Status&)>;

// Single-threaded; the parts it owns are thread-safe.
class RolloutHost {
 public:
  // Starts the reward server, unless the config names one; `config`, `dir` and
  // `store` must outlive this.
  static absl::StatusOr<std::unique_ptr<RolloutHost>> Start(
      const Config& config, const RunDir& dir, ExperienceStore* store,
      OnFailure on_failure);

  ~RolloutHost();  // Stop().

  // Asks the reward server whether it could grade these prompts. An external
  // server that does not answer is logged and not waited for.
  //   kInvalidArgument  naming the first bad prompt and how many more there are
  absl::Status CheckPrompts(const StagePrompts& prompts);

  // Listens for workers and starts the local ones. Does nothing the second
  // time.
  absl::Status AdmitWorkers(const Policy& policy, const RolloutConfig& rollout);

  // Tells workers that the run is over and waits for the local ones.
  void Stop();

  LeaseBook* book() { return &book_; }
  WeightBoard* board() { return &board_; }

  double CpuSeconds() const;
  int64_t restarts() const;

 private:
  RolloutHost(const Config& config, const RunDir& dir, ExperienceStore* store,
              OnFailure on_failure);

  LocalServicesOptions Options() const;
  std::string RewardsAddress() const;

  const Config& config_;
  const RunDir& dir_;
  ExperienceStore* const store_;
  const OnFailure on_failure_;
  std::string bin_dir_;
  Credentials credentials_;
  LeaseBook book_;
  WeightBoard board_;
  std::unique_ptr<LocalServices> rewards_;  // Null: an external server.
  std::unique_ptr<LearnerService> service_;
  std::unique_ptr<RpcServer> server_;
  std::unique_ptr<LocalServices> workers_;  // Null until workers are admitted.
};

}  // namespace cohort
