#include "learner/rollout_host.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "proto/child_process.h"
#include "proto/log.h"
#include "proto/rewards.grpc.pb.h"
#include "proto/rewards_client.h"
#include "proto/rows.h"
#include "proto/rpc.h"
#include "proto/status.h"

namespace cohort {
namespace {

constexpr absl::Duration kStopPatience = absl::Seconds(2);
constexpr absl::Duration kCheckPatience = absl::Seconds(30);
constexpr absl::Duration kExternalPatience = absl::Seconds(2);

absl::Duration LeaseTimeoutOf(const Config& config) {
  absl::Duration longest = config.rollout.lease_timeout;
  for (const StageConfig& stage : config.stages) {
    if (stage.kind == "rl") longest = stage.rollout.lease_timeout;
  }
  return longest;
}

std::string RewardsAddressIn(const Config& config) {
  for (const StageConfig& stage : config.stages) {
    if (stage.kind == "rl") return stage.rewards.address;
  }
  return config.rewards.address;
}

CredentialFiles FilesOf(const RunConfig& run) {
  return {run.token_file, run.tls_certificate, run.tls_key, run.tls_authority};
}

// The flags of AddCredentialFlags.
std::vector<std::string> CredentialArguments(const RunConfig& run) {
  std::vector<std::string> arguments;
  const std::pair<const char*, const std::string&> flags[] = {
      {"--token-file", run.token_file},
      {"--tls-certificate", run.tls_certificate},
      {"--tls-key", run.tls_key},
      {"--tls-authority", run.tls_authority}};
  for (const auto& [flag, file] : flags) {
    if (!file.empty()) arguments.insert(arguments.end(), {flag, file});
  }
  return arguments;
}

}  // namespace

RolloutHost::RolloutHost(const Config& config, std::string bin_dir,
                         std::string logs_dir, OnFailure on_failure)
    : config_(config),
      bin_dir_(std::move(bin_dir)),
      logs_dir_(std::move(logs_dir)),
      on_failure_(std::move(on_failure)),
      book_(LeaseTimeoutOf(config)) {}

absl::StatusOr<std::unique_ptr<RolloutHost>> RolloutHost::Begin(
    const Config& config, const std::string& logs_dir, OnFailure on_failure) {
  COHORT_ASSIGN_OR_RETURN(std::string bin_dir, OwnBinaryDir());
  std::unique_ptr<RolloutHost> host(new RolloutHost(
      config, std::move(bin_dir), logs_dir, std::move(on_failure)));
  COHORT_ASSIGN_OR_RETURN(host->credentials_,
                          LoadCredentials(FilesOf(config.run)));
  if (RewardsAddressIn(config).empty() && config.run.local_workers > 0) {
    // The run's own copy is written when all it needs has been loaded.
    const std::string resolved = logs_dir + "/services.yaml";
    COHORT_RETURN_IF_ERROR(WriteFileAtomically(resolved, PrintConfig(config)));
    LocalServicesOptions options = host->Options();
    options.reward_server = true;
    options.reward_arguments = {"--config", resolved, "--audit-file",
                                logs_dir + "/audit.jsonl"};
    host->rewards_ = std::make_unique<LocalServices>(std::move(options));
  }
  return host;
}

RolloutHost::~RolloutHost() { Stop(); }

LocalServicesOptions RolloutHost::Options() const {
  LocalServicesOptions options;
  options.bin_dir = bin_dir_;
  options.logs_dir = logs_dir_;
  options.worker_arguments = CredentialArguments(config_.run);
  options.on_give_up = on_failure_;
  return options;
}

void RolloutHost::StartWorkers() {
  if (workers_ != nullptr || config_.run.local_workers == 0) return;
  LocalServicesOptions options = Options();
  options.workers = config_.run.local_workers;
  workers_ = std::make_unique<LocalServices>(std::move(options));
}

absl::StatusOr<std::string> RolloutHost::RewardsAddress() {
  if (rewards_ == nullptr) return RewardsAddressIn(config_);
  COHORT_RETURN_IF_ERROR(rewards_->AwaitStarted());
  return rewards_->rewards_address();
}

absl::Status RolloutHost::CheckPrompts(const StagePrompts& prompts) {
  COHORT_ASSIGN_OR_RETURN(const std::string address, RewardsAddress());
  if (address.empty()) return absl::OkStatus();
  const std::unique_ptr<Rewards::Stub> stub =
      Rewards::NewStub(MakeChannel(address, credentials_));
  const RetryPolicy retry{.call_timeout = kCheckPatience,
                          .total_timeout = rewards_ != nullptr
                                               ? kCheckPatience
                                               : kExternalPatience};
  std::vector<const Prompt*> all;
  for (const auto* sets : {&prompts.training, &prompts.evaluation}) {
    for (const PromptSet& set : *sets) {
      for (const Prompt& prompt : set.prompts) all.push_back(&prompt);
    }
  }
  const absl::Status checked = cohort::CheckPrompts(stub.get(), all, retry);
  if (IsRetryable(checked) && rewards_ == nullptr) {
    COHORT_LOG(WARNING) << "reward server does not answer, prompts are not "
                           "checked address="
                        << address;
    return absl::OkStatus();
  }
  return checked;
}

absl::Status RolloutHost::AdmitWorkers(const JoinResponse& welcome,
                                       ExperienceStore* store) {
  if (server_ != nullptr) return absl::OkStatus();
  StartWorkers();
  service_ = std::make_unique<LearnerService>(welcome, &book_, store, &board_,
                                              on_failure_,
                                              CallGate(credentials_.token));
  COHORT_ASSIGN_OR_RETURN(
      server_,
      RpcServer::Start(config_.run.listen, Learner::service_full_name(),
                       service_.get(), credentials_));
  COHORT_LOG(INFO) << "listening on " << server_->address()
                   << " for rollout workers";
  if (workers_ == nullptr) return absl::OkStatus();
  COHORT_ASSIGN_OR_RETURN(const std::string rewards, RewardsAddress());
  workers_->TellWorkers(server_->address(), rewards);
  return workers_->AwaitStarted();
}

void RolloutHost::Stop() {
  book_.Finish();
  board_.Close();
  if (workers_ != nullptr) workers_->Stop();
  if (rewards_ != nullptr) rewards_->Stop();
  if (server_ != nullptr) server_->Stop(kStopPatience);
}

double RolloutHost::CpuSeconds() const {
  return (rewards_ != nullptr ? rewards_->CpuSeconds() : 0) +
         (workers_ != nullptr ? workers_->CpuSeconds() : 0);
}

int64_t RolloutHost::restarts() const {
  return (rewards_ != nullptr ? rewards_->restarts() : 0) +
         (workers_ != nullptr ? workers_->restarts() : 0);
}

}  // namespace cohort
