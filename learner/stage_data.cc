#include "learner/stage_data.h"

#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "model/chat_template.h"
#include "nlohmann/json.hpp"
#include "proto/log.h"
#include "proto/status.h"

namespace cohort {
namespace {

// Renders the messages of prompts by the template of one folder, which is read
// when the first prompt has messages.
class PromptRenderer {
 public:
  explicit PromptRenderer(std::string folder) : folder_(std::move(folder)) {}

  // Fills in the text of a prompt that has messages instead.
  absl::Status Render(Prompt* prompt) {
    if (prompt->messages().empty()) return absl::OkStatus();
    if (template_ == nullptr) {
      COHORT_ASSIGN_OR_RETURN(template_, ChatTemplate::Load(folder_));
    }
    nlohmann::ordered_json messages = nlohmann::ordered_json::array();
    for (const Message& message : prompt->messages()) {
      messages.push_back(
          {{"role", message.role()}, {"content", message.content()}});
    }
    const nlohmann::ordered_json request = {{"messages", std::move(messages)}};
    COHORT_ASSIGN_OR_RETURN(
        RenderedChat chat,
        template_->Render(request.dump(), {.add_generation_prompt = true}));
    prompt->set_text(std::move(chat.text));
    return absl::OkStatus();
  }

 private:
  const std::string folder_;
  std::unique_ptr<ChatTemplate> template_;
};

absl::Status Tokenize(const Tokenizer& tokenizer, PromptRenderer* renderer,
                      Prompt* prompt) {
  COHORT_RETURN_IF_ERROR(renderer->Render(prompt));
  // A chat template writes its special tokens itself.
  COHORT_ASSIGN_OR_RETURN(
      const std::vector<int32_t> tokens,
      tokenizer.Encode(prompt->text(),
                       /*add_special_tokens=*/prompt->messages().empty()));
  if (tokens.empty()) return absl::InvalidArgumentError("has no tokens");
  prompt->mutable_tokens()->Assign(tokens.begin(), tokens.end());
  return absl::OkStatus();
}

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
  PromptRenderer renderer(policy.folder);
  const PromptLoading loading{.tokenize =
                                  [&](Prompt* prompt) {
                                    return Tokenize(*policy.tokenizer,
                                                    &renderer, prompt);
                                  },
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
