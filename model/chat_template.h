// A folder's own chat template: messages -> prompt text.
//
// Rendered as transformers 5.23's apply_chat_template does it (Jinja2 3.1.6 in
// an immutable sandbox with trim_blocks, lstrip_blocks, break and continue;
// tojson that escapes no HTML; raise_exception, strftime_now), but for one
// thing: message keys whose value is null are kept, as in transformers 4 and
// vLLM. transformers 5 drops them, and DeepSeek's own templates then fail on a
// tool call whose content is null.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace cohort {

struct RenderOptions {
  // Ends in what begins the assistant's turn; kwargs may say otherwise.
  bool add_generation_prompt = false;
  absl::Time now = absl::Now();  // What strftime_now formats, in local time.
  // Expressions and statements that may run; no published template needs a
  // hundredth for a long conversation.
  int64_t max_steps = 50'000'000;
};

struct RenderedChat {
  std::string text;
  // What the assistant said, where the template marks it with
  // {% generation %}: [begin, end) in characters of `text`.
  std::vector<std::pair<int64_t, int64_t>> generated;
};

// Thread-safe once loaded (immutable).
class ChatTemplate {
 public:
  // From a Hugging Face folder: chat_template.jinja, else `chat_template` of
  // tokenizer_config.json (a text, or a list of named ones, of which "tool_use"
  // is taken where tools are given and "default" elsewhere). Variables such as
  // bos_token come from tokenizer_config.json and special_tokens_map.json.
  //   kNotFound         the folder has no chat template
  //   kInvalidArgument  "<file>: line N: ...": not a template, or one that
  //                     uses what is not built
  static absl::StatusOr<std::unique_ptr<ChatTemplate>> Load(
      const std::string& folder);

  // From texts. `config_json`: of tokenizer_config.json, for its special
  // tokens; may be empty. `name`: for errors.
  static absl::StatusOr<std::unique_ptr<ChatTemplate>> Parse(
      std::string_view source, std::string_view config_json,
      const std::string& name);

  virtual ~ChatTemplate() = default;

  // `request`: a JSON object {"messages": [...], "tools": [...], "documents":
  // [...], "kwargs": {...}}, of which all but the messages may be missing or
  // null; other keys are passed over. kwargs are variables of the template.
  // A text, so that ints of any size and the order of keys reach it.
  //   kInvalidArgument    no messages, or the template's own error:
  //                       "<file>: line N: TypeError: ..."
  //   kResourceExhausted  a limit on work, depth or size was reached
  virtual absl::StatusOr<RenderedChat> Render(
      std::string_view request, const RenderOptions& options) const = 0;
  absl::StatusOr<RenderedChat> Render(std::string_view request) const {
    return Render(request, RenderOptions());
  }

  // The template's text, "default" where there are several.
  virtual const std::string& source() const = 0;
};

}  // namespace cohort
