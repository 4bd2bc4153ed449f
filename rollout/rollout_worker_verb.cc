#include <ATen/Parallel.h>
#include <poll.h>
#include <torch/types.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "configs/config.h"
#include "model/checkpoint.h"
#include "model/device.h"
#include "model/model_config.h"
#include "model/tokenizer.h"
#include "proto/credentials.h"
#include "proto/flags.h"
#include "proto/log.h"
#include "proto/rpc.h"
#include "proto/shutdown.h"
#include "proto/status.h"
#include "rollout/model_engine.h"
#include "rollout/verbs.h"
#include "rollout/weight_receiver.h"
#include "rollout/worker.h"

namespace cohort {
namespace {

struct WorkerFlags {
  std::string learner;
  std::string rewards;
  std::string config;
  std::string name;
  int threads = 0;
  std::string device = "auto";
  std::string patience = "2m";
  CredentialFiles credentials;
};

// How the learner and the reward server are reached.
struct Peers {
  std::shared_ptr<grpc::Channel> learner;
  std::shared_ptr<grpc::Channel> rewards;
};

// How soon a reader of standard input notices that it shall stop.
constexpr int kStopPollMs = 20;

std::string DefaultName() {
  char host[256] = "worker";
  gethostname(host, sizeof(host) - 1);
  return absl::StrCat(host, "-", getpid());
}

// The next line of standard input, read byte by byte: what follows it is left
// for the next reader.
//   kCancelled    stopped first
//   kUnavailable  the input ended first, as it does with a learner that died
absl::StatusOr<std::string> ReadLine(const std::stop_token& stop) {
  std::string line;
  while (!stop.stop_requested()) {
    pollfd readable = {.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
    if (poll(&readable, 1, kStopPollMs) <= 0) continue;
    char c = 0;
    const ssize_t count = read(STDIN_FILENO, &c, 1);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) {
      return absl::UnavailableError("standard input ended before an address");
    }
    if (c == '\n') return line;
    line.push_back(c);
  }
  return absl::CancelledError("stopped");
}

// "-" stands for a line of standard input.
absl::Status ReadAddresses(const std::stop_token& stop, WorkerFlags* flags) {
  for (std::string* address : {&flags->learner, &flags->rewards}) {
    if (*address != "-") continue;
    COHORT_ASSIGN_OR_RETURN(*address, ReadLine(stop));
  }
  return absl::OkStatus();
}

// What this machine has under --config, for the learner to compare.
absl::StatusOr<JoinRequest> MakeJoinRequest(const WorkerFlags& flags) {
  JoinRequest request;
  request.set_worker(flags.name);
  if (flags.config.empty()) return request;
  COHORT_ASSIGN_OR_RETURN(const Config config, LoadConfig(flags.config, {}));
  const ModelSection& model = config.model;
  COHORT_ASSIGN_OR_RETURN(const ModelConfig ours,
                          LoadModelConfig(model.checkpoint));
  request.set_model_hash(ModelHash(ours));
  if (model.tokenizer == "bytes") {
    request.set_tokenizer_hash(Tokenizer::Bytes()->hash());
  } else {
    COHORT_ASSIGN_OR_RETURN(const std::unique_ptr<Tokenizer> tokenizer,
                            Tokenizer::Load(model.checkpoint));
    request.set_tokenizer_hash(tokenizer->hash());
  }
  return request;
}

absl::StatusOr<std::unique_ptr<Tokenizer>> MakeTokenizer(
    const JoinResponse& run) {
  if (run.tokenizer() == "bytes") return Tokenizer::Bytes();
  return Tokenizer::Parse(run.tokenizer_json(), run.tokenizer_config_json(),
                          "the learner's tokenizer.json");
}

// Another build may read the same files otherwise.
absl::Status CheckHash(absl::string_view what, const std::string& ours,
                       const std::string& theirs) {
  if (ours == theirs) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("the learner's ", what, " has hash ", theirs, " there and ",
                   ours, " here: the builds differ"));
}

absl::StatusOr<std::unique_ptr<Transformer>> MakeModel(const JoinResponse& run,
                                                       at::Device device) {
  COHORT_ASSIGN_OR_RETURN(
      const ModelConfig config,
      ParseModelConfig(run.model_config_json(), "the learner's config.json"));
  COHORT_RETURN_IF_ERROR(
      CheckHash("model", ModelHash(config), run.model_hash()));
  COHORT_ASSIGN_OR_RETURN(
      std::unique_ptr<Transformer> model,
      Transformer::Create(config, ComputeDtype(device), device));
  model->SetTrainable(false);
  return model;
}

// One learner process, from Join to its end. `sampled` becomes true once
// weights have been in force.
absl::Status WorkForLearner(const WorkerFlags& flags, const Peers& peers,
                            const JoinRequest& request, absl::Duration patience,
                            at::Device device, const std::stop_token& stop,
                            bool* sampled) {
  const std::unique_ptr<Learner::Stub> learner =
      Learner::NewStub(peers.learner);
  const std::unique_ptr<Rewards::Stub> rewards =
      Rewards::NewStub(peers.rewards);
  COHORT_ASSIGN_OR_RETURN(const JoinResponse run,
                          JoinRun(learner.get(), request, patience, stop));
  COHORT_ASSIGN_OR_RETURN(const RolloutConfig rollout,
                          ParseRollout(run.rollout_config_yaml()));
  at::set_num_threads(flags.threads > 0 ? flags.threads : rollout.threads);
  COHORT_ASSIGN_OR_RETURN(const std::unique_ptr<Tokenizer> tokenizer,
                          MakeTokenizer(run));
  COHORT_RETURN_IF_ERROR(
      CheckHash("tokenizer", tokenizer->hash(), run.tokenizer_hash()));
  COHORT_ASSIGN_OR_RETURN(const std::unique_ptr<Transformer> model,
                          MakeModel(run, device));
  WeightReceiver weights(learner.get(), run.run_id(), flags.name,
                         WeightLayout(*model));
  COHORT_ASSIGN_OR_RETURN(
      const std::unique_ptr<ModelEngine> engine,
      ModelEngine::Create({.max_sequences = rollout.max_sequences,
                           .block_tokens = rollout.block_tokens,
                           .speculative = rollout.speculative},
                          model.get(), tokenizer.get(), &weights));
  WorkerSettings settings;
  settings.name = flags.name;
  settings.run_id = run.run_id();
  settings.lease_prompts = rollout.lease_prompts;
  settings.group_size = rollout.group_size;
  settings.max_sequences = rollout.max_sequences;
  settings.patience = patience;
  Worker worker(settings, learner.get(), rewards.get(), engine.get(), &weights);
  COHORT_LOG(INFO) << "joined learner=" << flags.learner
                   << " run=" << run.run_id() << " device=" << device.str()
                   << " threads=" << at::get_num_threads();
  const absl::Status status = worker.Run(stop);
  const EngineStats stats = engine->stats();
  COHORT_LOG(INFO) << "left learner=" << flags.learner
                   << " sampled_tokens=" << stats.sampled_tokens
                   << " prefilled_tokens=" << stats.prefilled_tokens
                   << " steps=" << stats.steps << " busy_s=" << stats.busy_s
                   << " drafted_tokens=" << stats.drafted_tokens
                   << " accepted_tokens=" << stats.accepted_tokens;
  *sampled = engine->PolicyVersion() >= 0;
  return status;
}

absl::Status Work(WorkerFlags flags, absl::Duration patience,
                  const std::stop_token& stop) {
  COHORT_ASSIGN_OR_RETURN(const JoinRequest request, MakeJoinRequest(flags));
  COHORT_ASSIGN_OR_RETURN(const at::Device device, OpenDevice(flags.device));
  COHORT_ASSIGN_OR_RETURN(const Credentials credentials,
                          LoadCredentials(flags.credentials));
  if (const absl::Status read = ReadAddresses(stop, &flags); !read.ok()) {
    return absl::IsCancelled(read) ? absl::OkStatus() : read;
  }
  while (true) {
    // A restarted learner is dialled anew.
    const Peers peers = {MakeChannel(flags.learner, credentials),
                         MakeChannel(flags.rewards, credentials)};
    bool sampled = false;
    const absl::Status status =
        WorkForLearner(flags, peers, request, patience, device, stop, &sampled);
    if (stop.stop_requested()) return absl::OkStatus();
    // A learner that was restarted is another to its workers. Where not even
    // weights came, joining again would not help.
    if (!absl::IsFailedPrecondition(status) || !sampled) return status;
    COHORT_LOG(INFO) << "joining again reason=\"" << status.message() << '"';
  }
}

}  // namespace

int RolloutWorkerVerb(const std::vector<std::string>& args) {
  WorkerFlags flags;
  flags.name = DefaultName();
  FlagParser parser("rollout-worker",
                    "Samples, grades and delivers what a learner leases, until "
                    "its run is finished or SIGTERM.");
  parser.Required("learner", &flags.learner, "HOST:PORT",
                  "the learner; - reads it as a line of standard input");
  parser.Required("rewards", &flags.rewards, "HOST:PORT",
                  "the reward server; - reads it likewise, behind the other");
  parser.Flag("config", &flags.config, "CONFIG",
              "YAML file whose model must be the learner's");
  parser.Flag("name", &flags.name, "NAME", "unique among the run's workers");
  parser.Flag("threads", &flags.threads, "N",
              "threads of the engine; 0: as the run's rollout.threads says");
  parser.Flag("device", &flags.device, "DEVICE", "auto, cpu or cuda");
  parser.Flag("patience", &flags.patience, "DURATION",
              "how long the learner or the reward server may be gone");
  AddCredentialFlags(&flags.credentials, &parser);
  if (const std::optional<int> exit = parser.Parse(args)) return *exit;
  absl::Duration patience;
  if (!absl::ParseDuration(flags.patience, &patience) ||
      patience <= absl::ZeroDuration()) {
    return WrongCall("rollout-worker",
                     "flag --patience must be a duration such as 30s or 2m");
  }
  Shutdown shutdown;  // Before LibTorch and gRPC start their threads.
  SetLogName("rollout " + flags.name);
  std::stop_source stop;
  std::jthread watcher([&] {
    shutdown.Wait();
    stop.request_stop();
  });
  const absl::Status status = Work(flags, patience, stop.get_token());
  shutdown.Request();
  return ExitCode(status);
}

}  // namespace cohort
