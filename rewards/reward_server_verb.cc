#include <cstdio>
#include <memory>
#include <optional>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "configs/config.h"
#include "proto/credentials.h"
#include "proto/flags.h"
#include "proto/log.h"
#include "proto/rpc_server.h"
#include "proto/shutdown.h"
#include "proto/status.h"
#include "rewards/audit.h"
#include "rewards/grade_pool.h"
#include "rewards/graders.h"
#include "rewards/rewards_service.h"
#include "rewards/sandbox_metrics.h"
#include "rewards/service_metrics.h"
#include "rewards/verbs.h"

namespace cohort {
namespace {

// Below the patience of a parent that ends its children.
constexpr absl::Duration kDrainTime = absl::Seconds(3);

struct RewardServerFlags {
  std::string listen = "127.0.0.1:0";
  int workers = 0;
  int max_waiting = -1;
  int metrics_port = -1;
  std::string config;
  std::string audit_file;
  CredentialFiles credentials;
  bool allow_weak = false;
};

// The config file's settings, where one is given, under those of the flags.
absl::StatusOr<Config> Resolve(const RewardServerFlags& flags) {
  Config config;
  if (!flags.config.empty()) {
    COHORT_ASSIGN_OR_RETURN(config, LoadConfig(flags.config, {}));
  }
  config.rewards.allow_weak = config.rewards.allow_weak || flags.allow_weak;
  if (flags.workers > 0) config.rewards.workers = flags.workers;
  if (flags.max_waiting >= 0) config.rewards.max_waiting = flags.max_waiting;
  return config;
}

CredentialFiles FilesFrom(const RunConfig& run, CredentialFiles flags) {
  if (flags.token_file.empty()) flags.token_file = run.token_file;
  if (flags.tls_certificate.empty()) {
    flags.tls_certificate = run.tls_certificate;
  }
  if (flags.tls_key.empty()) flags.tls_key = run.tls_key;
  if (flags.tls_authority.empty()) flags.tls_authority = run.tls_authority;
  return flags;
}

// The server works without a sandbox; prompts that need one are then refused.
void LogSandbox(JudgeHost* judge) {
  const absl::Status status = judge->Get().status();
  if (status.ok()) {
    COHORT_LOG(INFO) << "code runs in the sandbox";
  } else {
    COHORT_LOG(WARNING) << "prompts with code are refused: "
                        << std::string(status.message());
  }
}

absl::Status ServeMetrics(int port, const RewardsService& service,
                          const GradePool& pool, ServiceMetrics* metrics) {
  metrics->Watch("cohort_rewards_waiting_calls",
                 "Calls that wait for their turn.",
                 [&service] { return static_cast<double>(service.waiting()); });
  metrics->Watch("cohort_rewards_busy_calls", "Calls that are being graded.",
                 [&service] { return static_cast<double>(service.busy()); });
  metrics->Watch("cohort_rewards_worker_deaths",
                 "Grading workers that died while they graded.",
                 [&pool] { return static_cast<double>(pool.deaths()); });
  if (port < 0) return absl::OkStatus();
  COHORT_ASSIGN_OR_RETURN(const int listening, metrics->Serve(port));
  COHORT_LOG(INFO) << "metrics address=127.0.0.1:" << listening << "/metrics";
  return absl::OkStatus();
}

absl::Status Serve(const RewardServerFlags& flags, const Config& config,
                   const Credentials& credentials, Shutdown* shutdown) {
  const RewardsConfig& rewards = config.rewards;
  const auto judge = std::make_shared<JudgeHost>(JudgeOptions{
      .slots = rewards.workers * 2, .allow_weak = rewards.allow_weak});
  const GraderMap graders = MakeGraders({.external = rewards.external,
                                         .credentials = credentials,
                                         .judge = judge});
  GradePool pool({"/proc/self/exe", kGradeWorkerVerb}, rewards.workers);
  ServiceMetrics metrics;
  COHORT_ASSIGN_OR_RETURN(
      const std::unique_ptr<Auditor> auditor,
      Auditor::Create(rewards.audit_share, flags.audit_file));
  WatchSandbox(judge, &metrics);
  RewardsService service(
      {&graders, &pool, &metrics, auditor.get()},
      {.workers = rewards.workers, .max_waiting = rewards.max_waiting},
      CallGate(credentials.token));
  COHORT_RETURN_IF_ERROR(
      ServeMetrics(flags.metrics_port, service, pool, &metrics));
  COHORT_ASSIGN_OR_RETURN(
      const std::unique_ptr<RpcServer> server,
      RpcServer::Start(flags.listen, Rewards::service_full_name(), &service,
                       credentials));
  std::printf("listening on %s\n", server->address().c_str());
  std::fflush(stdout);
  COHORT_LOG(INFO) << "serving address=" << server->address()
                   << " workers=" << rewards.workers;
  LogSandbox(judge.get());
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
              "calls graded at a time; 0: as the config says, or 2");
  parser.Flag("max-waiting", &flags.max_waiting, "N",
              "calls that may wait; -1: as the config says, or 512");
  parser.Flag("config", &flags.config, "CONFIG",
              "YAML file whose rewards section, token and TLS files apply");
  parser.Flag("metrics-port", &flags.metrics_port, "P",
              "Prometheus metrics on 127.0.0.1:P/metrics; 0 takes a free port, "
              "-1: none");
  parser.Flag("audit-file", &flags.audit_file, "FILE",
              "where disagreements of the two graders are kept (JSONL)");
  parser.Switch("allow-weak", &flags.allow_weak,
                "run code also where a fence of the sandbox is missing here");
  AddCredentialFlags(&flags.credentials, &parser);
  if (const std::optional<int> exit = parser.Parse(args)) return *exit;
  if (flags.workers < 0) {
    return WrongCall("reward-server", "flag --workers must not be negative");
  }
  const absl::StatusOr<Config> config = Resolve(flags);
  if (!config.ok()) return ExitCode(config.status());
  const absl::StatusOr<Credentials> credentials =
      LoadCredentials(FilesFrom(config->run, flags.credentials));
  if (!credentials.ok()) return ExitCode(credentials.status());
  if (const absl::Status status =
          CheckListenAddress(flags.listen, *credentials);
      !status.ok()) {
    return WrongCall("reward-server", status.message());
  }
  Shutdown shutdown;  // Before gRPC starts its threads.
  return ExitCode(Serve(flags, *config, *credentials, &shutdown));
}

}  // namespace cohort
