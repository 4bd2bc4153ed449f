#include "learner/policy_folder.h"

#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/checkpoint.h"
#include "model/device.h"
#include "proto/rows.h"
#include "proto/status.h"

namespace cohort {
namespace {

absl::Status LoadTokenizer(const ModelSection& model, Policy* policy) {
  policy->tokenizer_name = model.tokenizer;
  if (model.tokenizer == "bytes") {
    policy->tokenizer = Tokenizer::Bytes();
    return absl::OkStatus();
  }
  if (!model.tokenizer.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "model.tokenizer '", model.tokenizer, "': must be empty or bytes"));
  }
  COHORT_ASSIGN_OR_RETURN(policy->tokenizer_json,
                          ReadFile(policy->folder + "/tokenizer.json"));
  const std::string config = policy->folder + "/tokenizer_config.json";
  if (std::filesystem::exists(config)) {
    COHORT_ASSIGN_OR_RETURN(policy->tokenizer_config_json, ReadFile(config));
  }
  COHORT_ASSIGN_OR_RETURN(
      policy->tokenizer,
      Tokenizer::Parse(policy->tokenizer_json, policy->tokenizer_config_json,
                       policy->folder + "/tokenizer.json"));
  return absl::OkStatus();
}

absl::Status CheckVocabulary(const Policy& policy, const ModelConfig& config) {
  if (policy.tokenizer->vocab_size() <= config.vocab_size) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(
      policy.folder, ": the tokenizer has ", policy.tokenizer->vocab_size(),
      " tokens, the model's vocab_size is ", config.vocab_size));
}

absl::Status CheckMtp(const Config& run, const ModelConfig& model) {
  if (model.num_nextn_predict_layers > 0) return absl::OkStatus();
  for (const StageConfig& stage : run.stages) {
    const bool trained = stage.learner.mtp_weight > 0;
    if (!trained && !stage.rollout.speculative) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        "stage ", stage.name.empty() ? stage.kind : stage.name, ": ",
        trained ? "learner.mtp_weight" : "rollout.speculative", " is set, but ",
        run.model.checkpoint, " has no multi-token prediction head"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Policy> LoadPolicy(const Config& run,
                                  const std::string& weights_folder) {
  Policy policy;
  policy.folder = run.model.checkpoint;
  COHORT_ASSIGN_OR_RETURN(const ModelConfig config,
                          LoadModelConfig(policy.folder));
  COHORT_ASSIGN_OR_RETURN(policy.config_json, ReadConfigJson(policy.folder));
  COHORT_RETURN_IF_ERROR(CheckMtp(run, config));
  COHORT_RETURN_IF_ERROR(LoadTokenizer(run.model, &policy));
  COHORT_RETURN_IF_ERROR(CheckVocabulary(policy, config));
  COHORT_ASSIGN_OR_RETURN(const at::Device device, OpenDevice(run.run.device));
  COHORT_ASSIGN_OR_RETURN(
      policy.model, Transformer::Create(config, ComputeDtype(device), device));
  const LoadOptions options = {.allow_nonfinite = run.model.allow_nonfinite};
  if (!weights_folder.empty()) {
    COHORT_RETURN_IF_ERROR(
        LoadWeights(weights_folder, policy.model.get(), options));
  } else if (run.model.init.empty()) {
    COHORT_RETURN_IF_ERROR(
        LoadWeights(policy.folder, policy.model.get(), options));
  } else {
    policy.model->Initialise(run.model.init, run.model.embedding_std,
                             static_cast<uint64_t>(run.run.seed));
    policy.model->WeightsChanged();
  }
  return policy;
}

JoinResponse WelcomeOf(const Policy& policy, const RolloutConfig& rollout,
                       const std::string& run_id) {
  JoinResponse welcome;
  welcome.set_run_id(run_id);
  welcome.set_model_config_json(policy.config_json);
  welcome.set_tokenizer_json(policy.tokenizer_json);
  welcome.set_tokenizer_config_json(policy.tokenizer_config_json);
  welcome.set_tokenizer(policy.tokenizer_name);
  welcome.set_model_hash(ModelHash(policy.model->config()));
  welcome.set_tokenizer_hash(policy.tokenizer->hash());
  welcome.set_rollout_config_yaml(PrintRollout(rollout));
  return welcome;
}

}  // namespace cohort
