#include <cstdio>
#include <memory>
#include <optional>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "configs/config.h"
#include "proto/flags.h"
#include "proto/log.h"
#include "proto/rpc_server.h"
#include "proto/shutdown.h"
#include "proto/status.h"
#include "rewards/graders.h"
#include "rewards/rewards_service.h"
#include "rewards/verbs.h"

namespace cohort {
namespace {

// Below the patience of a parent that ends its children.
constexpr absl::Duration kDrainTime = absl::Seconds(3);

struct RewardServerFlags {
  std::string listen = "127.0.0.1:0";
  int workers = 0;
  std::string config;
};

absl::StatusOr<int> ChooseWorkers(const RewardServerFlags& flags) {
  if (flags.workers > 0) return flags.workers;
  if (flags.config.empty()) return RewardsConfig().workers;
  COHORT_ASSIGN_OR_RETURN(const Config config, LoadConfig(flags.config, {}));
  return config.rewards.workers;
}

absl::Status Serve(const RewardServerFlags& flags, Shutdown* shutdown) {
  COHORT_ASSIGN_OR_RETURN(const int workers, ChooseWorkers(flags));
  const GraderMap graders = MakeGraders();
  RewardsService service(&graders, workers);
  COHORT_ASSIGN_OR_RETURN(
      const std::unique_ptr<RpcServer> server,
      RpcServer::Start(flags.listen, Rewards::service_full_name(), &service));
  std::printf("listening on %s\n", server->address().c_str());
  std::fflush(stdout);
  COHORT_LOG(INFO) << "serving address=" << server->address()
                   << " workers=" << workers;
  shutdown->Wait();
  server->Stop(kDrainTime);
  COHORT_LOG(INFO) << "stopped";
  return absl::OkStatus();
}

}  // namespace

int RewardServerVerb(const std::vector<std::string>& args) {
  RewardServerFlags flags;
  FlagParser parser("reward-server",
                    "Grades completions for rollout workers until SIGTERM. The "
                    "first line on standard output is `listening on "
                    "HOST:PORT`.");
  parser.Flag("listen", &flags.listen, "HOST:PORT",
              "address on this machine; port 0 takes a free one");
  parser.Flag("workers", &flags.workers, "N",
              "grading threads; 0: as the config says, or 2");
  parser.Flag("config", &flags.config, "CONFIG",
              "YAML file whose rewards section applies");
  if (const std::optional<int> exit = parser.Parse(args)) return *exit;
  if (flags.workers < 0) {
    return WrongCall("reward-server", "flag --workers must not be negative");
  }
  if (const absl::Status status = CheckListenAddress(flags.listen);
      !status.ok()) {
    return WrongCall("reward-server", status.message());
  }
  Shutdown shutdown;  // Before gRPC starts its threads.
  return ExitCode(Serve(flags, &shutdown));
}

}  // namespace cohort
