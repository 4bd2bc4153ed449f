#include <torch/types.h>

#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "configs/config.h"
#include "model/checkpoint.h"
#include "model/device.h"
#include "model/tokenizer.h"
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

struct RolloutWorkerFlags {
  std::string learner;
  std::string rewards;
  std::string config;
  std::string name = "w0";
  int threads = 0;
  std::string device = "auto";
  int patience_s = 120;
};

// The hashes of the folder that `config` names: what this worker would use.
absl::Status DescribeOwnModel(const std::string& path, JoinRequest* request) {
  COHORT_ASSIGN_OR_RETURN(const Config config, LoadConfig(path, {}));
  COHORT_ASSIGN_OR_RETURN(const ModelConfig model,
                          LoadModelConfig(config.model.checkpoint));
  request->set_model_hash(ModelHash(model));
  if (config.model.tokenizer == "bytes") {
    request->set_tokenizer_hash(Tokenizer::Bytes()->hash());
    return absl::OkStatus();
  }
  COHORT_ASSIGN_OR_RETURN(const std::unique_ptr<Tokenizer> tokenizer,
                          Tokenizer::Load(config.model.checkpoint));
  request->set_tokenizer_hash(tokenizer->hash());
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Tokenizer>> MakeTokenizer(
    const JoinResponse& run) {
  if (run.tokenizer() == "bytes") return Tokenizer::Bytes();
  return Tokenizer::Parse(run.tokenizer_json(), run.tokenizer_config_json(),
                          "the learner's tokenizer.json");
}

// Sized and typed as the run's; the values come with the first version.
absl::StatusOr<std::unique_ptr<Transformer>> MakeModel(
    const JoinResponse& run, const std::string& device_name) {
  COHORT_ASSIGN_OR_RETURN(
      const ModelConfig config,
      ParseModelConfig(run.model_config_json(), "the learner's config.json"));
  COHORT_ASSIGN_OR_RETURN(const at::Device device, OpenDevice(device_name));
  return Transformer::Create(config, ComputeDtype(device), device);
}

WorkerSettings Settings(const RolloutWorkerFlags& flags,
                        const JoinResponse& run, const RolloutConfig& rollout) {
  return {.name = flags.name,
          .run_id = run.run_id(),
          .lease_prompts = rollout.lease_prompts,
          .group_size = rollout.group_size,
          .max_sequences = rollout.max_sequences,
          .patience = absl::Seconds(flags.patience_s)};
}

absl::Status Work(const RolloutWorkerFlags& flags, std::stop_token stop) {
  JoinRequest request;
  request.set_worker(flags.name);
  if (!flags.config.empty()) {
    COHORT_RETURN_IF_ERROR(DescribeOwnModel(flags.config, &request));
  }
  const auto learner = Learner::NewStub(MakeChannel(flags.learner));
  const auto rewards = Rewards::NewStub(MakeChannel(flags.rewards));
  COHORT_ASSIGN_OR_RETURN(
      const JoinResponse run,
      JoinRun(learner.get(), request, absl::Seconds(flags.patience_s), stop));
  COHORT_ASSIGN_OR_RETURN(const RolloutConfig rollout,
                          ParseRollout(run.rollout_config_yaml()));
  at::set_num_threads(flags.threads > 0 ? flags.threads : rollout.threads);
  COHORT_ASSIGN_OR_RETURN(const std::unique_ptr<Tokenizer> tokenizer,
                          MakeTokenizer(run));
  COHORT_ASSIGN_OR_RETURN(const std::unique_ptr<Transformer> model,
                          MakeModel(run, flags.device));
  WeightReceiver weights(learner.get(), run.run_id(), flags.name,
                         WeightLayout(*model));
  COHORT_ASSIGN_OR_RETURN(
      const std::unique_ptr<ModelEngine> engine,
      ModelEngine::Create({.max_sequences = rollout.max_sequences,
                           .block_tokens = rollout.block_tokens},
                          model.get(), tokenizer.get(), &weights));
  Worker worker(Settings(flags, run, rollout), learner.get(), rewards.get(),
                engine.get(), &weights);
  COHORT_LOG(INFO) << "joined learner=" << flags.learner
                   << " run_id=" << run.run_id();
  const absl::Status status = worker.Run(stop);
  const EngineStats stats = engine->stats();
  COHORT_LOG(INFO) << "done sampled_tokens=" << stats.sampled_tokens
                   << " steps=" << stats.steps << " busy_s=" << stats.busy_s;
  return status;
}

}  // namespace

int RolloutWorkerVerb(const std::vector<std::string>& args) {
  RolloutWorkerFlags flags;
  FlagParser parser("rollout-worker",
                    "Samples groups for a learner until its run is over. Has "
                    "no port of its own and needs no files: the learner sends "
                    "the model.");
  parser.Required("learner", &flags.learner, "HOST:PORT", "the learner");
  parser.Required("rewards", &flags.rewards, "HOST:PORT", "the reward server");
  parser.Flag("config", &flags.config, "CONFIG",
              "YAML file whose model must be the run's: refused otherwise");
  parser.Flag("name", &flags.name, "NAME", "unique among the run's workers");
  parser.Flag("threads", &flags.threads, "N",
              "threads of the engine; 0: as the run says");
  parser.Flag("device", &flags.device, "auto|cpu|cuda",
              "where to compute; auto: a GPU where there is one");
  parser.Flag("patience", &flags.patience_s, "SECONDS",
              "how long learner or reward server may be gone");
  if (const std::optional<int> exit = parser.Parse(args)) return *exit;
  SetLogName(absl::StrCat("rollout ", flags.name));
  Shutdown shutdown;  // Before gRPC starts its threads.
  std::stop_source stop;
  const std::jthread watch([&](const std::stop_token& ended) {
    while (!ended.stop_requested()) {
      if (shutdown.WaitFor(absl::Milliseconds(200))) stop.request_stop();
      if (stop.stop_requested()) return;
    }
  });
  return ExitCode(Work(flags, stop.get_token()));
}

}  // namespace cohort
