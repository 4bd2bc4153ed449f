#include "learner/stage_data.h"

#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "model/prompt_encoder.h"
#include "proto/log.h"
#include "proto/status.h"

namespace cohort {
namespace {

absl::StatusOr<StagePrompts> LoadStagePrompts(const StageConfig& stage,
                                              const Policy& policy) {
  const int64_t room = policy.positions() - stage.rollout.max_completion_tokens;
  if (room < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("stage ", stage.name, ": rollout.max_completion_tokens ",
                     stage.rollout.max_completion_tokens,
                     " leaves no room for a prompt in the model's ",
                     policy.positions(), " positions"));
  }
  PromptEncoder encoder(policy.folder, policy.tokenizer.get());
  const PromptLoading loading{
      .tokenize = [&](const std::string& chat,
                      Prompt* prompt) { return encoder.Encode(chat, prompt); },
      .max_prompt_tokens = room,
      .format = stage.rewards.format,
      .math_policy = stage.rewards.math_policy};
  StagePrompts prompts;
  COHORT_ASSIGN_OR_RETURN(prompts.training,
                          LoadPromptSets(stage.learner.prompts, loading));
  if (!stage.learner.eval_prompts.empty()) {
    COHORT_ASSIGN_OR_RETURN(
        prompts.evaluation,
        LoadPromptSets(stage.learner.eval_prompts, loading));
  }
  return prompts;
}

absl::StatusOr<TextCorpus> LoadCorpus(const StageConfig& stage, uint64_t seed,
                                      const Policy& policy) {
  COHORT_ASSIGN_OR_RETURN(
      TextCorpus corpus,
      TextCorpus::Load(stage.learner, *policy.tokenizer, policy.positions(),
                       seed, stage.name));
  if (corpus.dropped_too_long() > 0) {
    COHORT_LOG(WARNING) << "documents dropped, too long file="
                        << stage.learner.corpus
                        << " dropped=" << corpus.dropped_too_long();
  }
  return corpus;
}

}  // namespace

absl::StatusOr<std::vector<StageData>> LoadStages(const Config& config,
                                                  int64_t first_stage,
                                                  const Policy& policy) {
  std::vector<StageData> data(config.stages.size());
  for (size_t i = static_cast<size_t>(first_stage); i < data.size(); ++i) {
    const StageConfig& stage = config.stages[i];
    if (stage.kind == "sft") {
      COHORT_ASSIGN_OR_RETURN(
          data[i].corpus,
          LoadCorpus(stage, static_cast<uint64_t>(config.run.seed), policy));
    } else {
      COHORT_ASSIGN_OR_RETURN(data[i].prompts, LoadStagePrompts(stage, policy));
    }
  }
  return data;
}

}  // namespace cohort
