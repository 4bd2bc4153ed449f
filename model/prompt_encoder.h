// Prompts -> tokens: renders messages by the model folder's chat template, and
// tokenizes.
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/chat_template.h"
#include "model/tokenizer.h"
#include "proto/types.pb.h"

namespace cohort {

// Single-threaded. The chat template is read when the first prompt needs it.
class PromptEncoder {
 public:
  // `tokenizer` must outlive the encoder.
  PromptEncoder(std::string folder, const Tokenizer* tokenizer)
      : folder_(std::move(folder)), tokenizer_(tokenizer) {}

  // OK where the folder has a chat template; kNotFound where it has none.
  absl::Status LoadTemplate();

  // Fills in `tokens`, and `text` of a prompt that has messages instead.
  //   kNotFound         messages, and the folder has no chat template
  //   kInvalidArgument  the template's own error, a text that is not UTF-8, or
  //                     nothing to tokenize
  absl::Status Encode(Prompt* prompt) { return Encode("", prompt); }

  // The same of a row that had messages.
  //   chat: the row as a request to ChatTemplate::Render, so that tools, tool
  //     calls and kwargs reach the template; empty: made of the prompt's own
  absl::Status Encode(const std::string& chat, Prompt* prompt);

 private:
  absl::Status Render(const std::string& chat, Prompt* prompt);

  const std::string folder_;
  const Tokenizer* const tokenizer_;
  std::unique_ptr<ChatTemplate> template_;
};

}  // namespace cohort
