#include "model/prompt_encoder.h"

#include <utility>
#include <vector>

#include "nlohmann/json.hpp"
#include "proto/status.h"

namespace cohort {
namespace {

std::string RequestOf(const Prompt& prompt) {
  nlohmann::ordered_json messages = nlohmann::ordered_json::array();
  for (const Message& message : prompt.messages()) {
    messages.push_back(
        {{"role", message.role()}, {"content", message.content()}});
  }
  return nlohmann::ordered_json({{"messages", std::move(messages)}}).dump();
}

}  // namespace

absl::Status PromptEncoder::LoadTemplate() {
  if (template_ != nullptr) return absl::OkStatus();
  COHORT_ASSIGN_OR_RETURN(template_, ChatTemplate::Load(folder_));
  return absl::OkStatus();
}

absl::Status PromptEncoder::Encode(const std::string& chat, Prompt* prompt) {
  COHORT_RETURN_IF_ERROR(Render(chat, prompt));
  // A chat template writes its special tokens itself.
  COHORT_ASSIGN_OR_RETURN(
      const std::vector<int32_t> tokens,
      tokenizer_->Encode(prompt->text(),
                         /*add_special_tokens=*/prompt->messages().empty()));
  if (tokens.empty()) return absl::InvalidArgumentError("has no tokens");
  prompt->mutable_tokens()->Assign(tokens.begin(), tokens.end());
  return absl::OkStatus();
}

absl::Status PromptEncoder::Render(const std::string& chat, Prompt* prompt) {
  if (prompt->messages().empty()) return absl::OkStatus();
  COHORT_RETURN_IF_ERROR(LoadTemplate());
  COHORT_ASSIGN_OR_RETURN(
      RenderedChat rendered,
      template_->Render(chat.empty() ? RequestOf(*prompt) : chat,
                        {.add_generation_prompt = true}));
  prompt->set_text(std::move(rendered.text));
  return absl::OkStatus();
}

}  // namespace cohort
