#include "model/prompt_encoder.h"

#include <utility>
#include <vector>

#include "nlohmann/json.hpp"
#include "proto/status.h"

namespace cohort {

absl::Status PromptEncoder::LoadTemplate() {
  if (template_ != nullptr) return absl::OkStatus();
  COHORT_ASSIGN_OR_RETURN(template_, ChatTemplate::Load(folder_));
  return absl::OkStatus();
}

absl::Status PromptEncoder::Encode(Prompt* prompt) {
  COHORT_RETURN_IF_ERROR(Render(prompt));
  // A chat template writes its special tokens itself.
  COHORT_ASSIGN_OR_RETURN(
      const std::vector<int32_t> tokens,
      tokenizer_->Encode(prompt->text(),
                         /*add_special_tokens=*/prompt->messages().empty()));
  if (tokens.empty()) return absl::InvalidArgumentError("has no tokens");
  prompt->mutable_tokens()->Assign(tokens.begin(), tokens.end());
  return absl::OkStatus();
}

absl::Status PromptEncoder::Render(Prompt* prompt) {
  if (prompt->messages().empty()) return absl::OkStatus();
  COHORT_RETURN_IF_ERROR(LoadTemplate());
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

}  // namespace cohort
