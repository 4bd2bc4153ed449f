#include "rollout/eval_tasks.h"

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/chat_template.h"
#include "proto/rows.h"
#include "proto/status.h"

namespace cohort {
namespace {

// A chat template is rendered over messages; a task's has no use for them.
constexpr char kNoMessages[] = R"({"messages":[{"role":"user"}],"kwargs":)";

absl::Status WithPrompt(const absl::Status& status, const std::string& place,
                        const Prompt& prompt) {
  if (status.ok()) return status;
  return absl::Status(status.code(), absl::StrCat(place, "prompt ", prompt.id(),
                                                  ": ", status.message()));
}

// Writes the prompt by the format's template, over the row's own fields.
absl::Status Render(const ChatTemplate& how, Prompt* prompt) {
  COHORT_ASSIGN_OR_RETURN(
      RenderedChat text,
      how.Render(absl::StrCat(kNoMessages, prompt->row_json(), "}")));
  prompt->clear_messages();
  prompt->set_text(std::move(text.text));
  return absl::OkStatus();
}

void MakeChat(Prompt* prompt) {
  if (!prompt->messages().empty()) return;
  Message* const message = prompt->add_messages();
  message->set_role("user");
  message->set_content(prompt->text());
}

}  // namespace

absl::StatusOr<std::vector<Prompt>> ReadTasks(const std::string& path,
                                              const TaskFormat& format,
                                              int64_t limit) {
  COHORT_ASSIGN_OR_RETURN(const PromptFields fields, MapFields(format.fields));
  COHORT_ASSIGN_OR_RETURN(std::vector<Prompt> tasks,
                          ReadPrompts(path, fields, format.verifier));
  if (tasks.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": no tasks"));
  }
  if (limit > 0 && static_cast<size_t>(limit) < tasks.size()) {
    tasks.resize(static_cast<size_t>(limit));
  }
  if (format.prompt.empty()) return tasks;
  COHORT_ASSIGN_OR_RETURN(
      const std::unique_ptr<ChatTemplate> how,
      ChatTemplate::Parse(format.prompt, "",
                          absl::StrCat("task format ", format.name)));
  for (Prompt& task : tasks) {
    COHORT_RETURN_IF_ERROR(
        WithPrompt(Render(*how, &task), absl::StrCat(path, ": "), task));
  }
  return tasks;
}

absl::StatusOr<std::vector<std::string>> EncodeTasks(
    PromptEncoder* encoder, bool as_chat, int64_t max_tokens,
    std::vector<Prompt>* tasks) {
  if (as_chat) COHORT_RETURN_IF_ERROR(encoder->LoadTemplate());
  std::vector<std::string> too_long;
  std::vector<Prompt> kept;
  for (Prompt& task : *tasks) {
    if (as_chat) MakeChat(&task);
    COHORT_RETURN_IF_ERROR(WithPrompt(encoder->Encode(&task), "", task));
    if (task.tokens_size() > max_tokens) {
      too_long.push_back(task.id());
    } else {
      kept.push_back(std::move(task));
    }
  }
  *tasks = std::move(kept);
  return too_long;
}

}  // namespace cohort
