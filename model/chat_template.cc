#include "model/chat_template.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "model/jinja/ast.h"
#include "model/jinja/cat.h"
#include "model/jinja/interpreter.h"
#include "model/jinja/json_text.h"
#include "model/jinja/parser.h"
#include "model/jinja/scopes.h"
#include "model/jinja/value.h"
#include "model/utf8.h"
#include "proto/status.h"

namespace cohort {
namespace {

using jinja::Kind;
using jinja::Value;

constexpr size_t kMaxTemplateBytes = size_t{1} << 19;

constexpr std::array<std::string_view, 7> kSpecialTokens = {
    "bos_token", "eos_token", "unk_token", "sep_token",
    "pad_token", "cls_token", "mask_token"};

using Variables = std::map<std::string, Value>;

struct Parsed {
  std::string source;
  std::string name;  // For errors.
  jinja::NodePtr root;
};

absl::StatusOr<Parsed> ParseSource(std::string_view source,
                                   const std::string& name) {
  const auto fail = [&](const absl::Status& status) {
    return absl::Status(status.code(),
                        jinja::Cat(name, ": ", status.message()));
  };
  if (source.size() > kMaxTemplateBytes) {
    return fail(absl::InvalidArgumentError("the template is too long"));
  }
  if (ToValidUtf8(source) != source) {
    return fail(absl::InvalidArgumentError("the template is not UTF-8"));
  }
  absl::StatusOr<jinja::NodePtr> root = jinja::Parse(source);
  if (!root.ok()) return fail(root.status());
  if (const absl::Status status = jinja::ResolveNames(root->get());
      !status.ok()) {
    return fail(status);
  }
  return Parsed{std::string(source), name, *std::move(root)};
}

const Value* FindKey(const Value& dict, std::string_view key) {
  return dict.Is(Kind::kDict) ? dict.dict().Find(key) : nullptr;
}

// {"bos_token": "<s>"} or {"bos_token": {"content": "<s>"}}.
void AddSpecialTokens(const Value& config, Variables* tokens) {
  for (const std::string_view name : kSpecialTokens) {
    const Value* token = FindKey(config, name);
    if (token != nullptr && token->Is(Kind::kDict)) {
      token = FindKey(*token, "content");
    }
    if (token == nullptr || !token->Is(Kind::kString)) continue;
    tokens->emplace(std::string(name), *token);
  }
}

// Reasoning goes by three names; the template finds it under each that it may
// read. As transformers does: "thinking" first, "reasoning_content" last.
absl::StatusOr<Value> WithReasoningAliases(const Value& message) {
  const Value* reasoning = nullptr;
  for (const char* name : {"reasoning_content", "thinking", "reasoning"}) {
    const Value* const found = FindKey(message, name);
    if (found == nullptr || found->Is(Kind::kNone)) continue;
    reasoning = found;
    break;
  }
  if (reasoning == nullptr) return message;
  jinja::DictBuilder aliased;
  aliased.Set("thinking", *reasoning);
  for (const auto& [key, value] : message.dict().entries) {
    COHORT_RETURN_IF_ERROR(aliased.Set(key, value));
  }
  aliased.Set("reasoning_content", *reasoning);
  return aliased.Build();
}

absl::StatusOr<Value> ReadMessages(const Value* messages) {
  if (messages == nullptr || !messages->Is(Kind::kList)) {
    return absl::InvalidArgumentError("messages is not a list");
  }
  if (messages->items().empty()) {
    return absl::InvalidArgumentError(
        "ValueError: Cannot apply chat template to an empty conversation. "
        "Provide at least one message.");
  }
  std::vector<Value> read;
  for (size_t i = 0; i < messages->items().size(); ++i) {
    const Value& message = messages->items()[i];
    if (!message.Is(Kind::kDict)) {
      return absl::InvalidArgumentError(
          jinja::Cat("messages[", i, "] is not an object"));
    }
    COHORT_ASSIGN_OR_RETURN(Value aliased, WithReasoningAliases(message));
    read.push_back(std::move(aliased));
  }
  return jinja::MakeList(std::move(read));
}

// A list of objects under `key`, or None.
absl::StatusOr<Value> ReadObjects(const Value& request, std::string_view key) {
  const Value* const list = FindKey(request, key);
  if (list == nullptr || list->Is(Kind::kNone)) return Value::None();
  const bool right =
      list->Is(Kind::kList) &&
      std::all_of(list->items().begin(), list->items().end(),
                  [](const Value& item) { return item.Is(Kind::kDict); });
  if (!right) {
    return absl::InvalidArgumentError(
        jinja::Cat(key, " is not a list of objects"));
  }
  return *list;
}

class ParsedChatTemplate : public ChatTemplate {
 public:
  ParsedChatTemplate(Parsed main, Variables tokens)
      : main_(std::move(main)), tokens_(std::move(tokens)) {}

  void AddToolTemplate(Parsed parsed) {
    with_tools_ = std::make_unique<Parsed>(std::move(parsed));
  }

  using ChatTemplate::Render;

  const std::string& source() const override { return main_.source; }

  absl::StatusOr<RenderedChat> Render(
      std::string_view request, const RenderOptions& options) const override {
    COHORT_ASSIGN_OR_RETURN(
        Variables variables,
        ReadRequest(request, options.add_generation_prompt));
    const bool has_tools = !variables["tools"].Is(Kind::kNone);
    const Parsed& parsed =
        has_tools && with_tools_ != nullptr ? *with_tools_ : main_;
    jinja::Interpreter interpreter(
        *parsed.root, std::move(variables), options.now,
        jinja::RunLimits{.steps = options.max_steps});
    absl::StatusOr<jinja::Rendered> rendered = interpreter.Run();
    if (!rendered.ok()) {
      return absl::Status(
          rendered.status().code(),
          jinja::Cat(parsed.name, ": ", rendered.status().message()));
    }
    if (ToValidUtf8(rendered->text) != rendered->text) {
      return absl::InvalidArgumentError(jinja::Cat(
          parsed.name, ": UnicodeEncodeError: surrogates not allowed"));
    }
    return RenderedChat{std::move(rendered->text),
                        std::move(rendered->generated)};
  }

 private:
  absl::StatusOr<Variables> ReadRequest(std::string_view text,
                                        bool add_generation_prompt) const {
    COHORT_ASSIGN_OR_RETURN(const Value request, jinja::FromJson(text));
    if (!request.Is(Kind::kDict)) {
      return absl::InvalidArgumentError("not a JSON object");
    }
    Variables variables = tokens_;
    variables["add_generation_prompt"] = Value::Bool(add_generation_prompt);
    if (const Value* const kwargs = FindKey(request, "kwargs");
        kwargs != nullptr && !kwargs->Is(Kind::kNone)) {
      if (!kwargs->Is(Kind::kDict)) {
        return absl::InvalidArgumentError("kwargs is not an object");
      }
      for (const auto& [name, value] : kwargs->dict().entries) {
        variables[name.text()] = value;
      }
    }
    COHORT_ASSIGN_OR_RETURN(variables["messages"],
                            ReadMessages(FindKey(request, "messages")));
    COHORT_ASSIGN_OR_RETURN(variables["tools"], ReadObjects(request, "tools"));
    COHORT_ASSIGN_OR_RETURN(variables["documents"],
                            ReadObjects(request, "documents"));
    return variables;
  }

  Parsed main_;
  std::unique_ptr<Parsed> with_tools_;
  Variables tokens_;
};

// Empty if there is no such file.
std::string ReadIfThere(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

absl::StatusOr<Value> ReadConfig(std::string_view text,
                                 const std::string& name) {
  if (text.empty()) return Value::None();
  absl::StatusOr<Value> config = jinja::FromJson(text);
  if (!config.ok() || !config->Is(Kind::kDict)) {
    return absl::InvalidArgumentError(jinja::Cat(name, ": not a JSON object"));
  }
  return config;
}

struct Sources {
  std::string main;
  std::string main_name;
  std::string with_tools;  // Empty: `main` does for both.
};

// `chat_template` of tokenizer_config.json.
absl::StatusOr<Sources> SourcesIn(const Value& config,
                                  const std::string& name) {
  const Value* const given = FindKey(config, "chat_template");
  Sources sources;
  sources.main_name = jinja::Cat(name, ": chat_template");
  if (given == nullptr || given->Is(Kind::kNone)) {
    return absl::NotFoundError(jinja::Cat(name, ": no chat_template"));
  }
  if (given->Is(Kind::kString)) {
    sources.main = given->text();
    return sources;
  }
  if (given->Is(Kind::kList)) {
    for (const Value& entry : given->items()) {
      const Value* const entry_name = FindKey(entry, "name");
      const Value* const text = FindKey(entry, "template");
      if (entry_name == nullptr || !entry_name->Is(Kind::kString) ||
          text == nullptr || !text->Is(Kind::kString)) {
        return absl::InvalidArgumentError(jinja::Cat(
            sources.main_name, ": an entry is not {name, template}"));
      }
      if (entry_name->text() == "default") sources.main = text->text();
      if (entry_name->text() == "tool_use") sources.with_tools = text->text();
    }
    if (!sources.main.empty()) return sources;
    return absl::InvalidArgumentError(
        jinja::Cat(sources.main_name, ": no template named default"));
  }
  return absl::InvalidArgumentError(
      jinja::Cat(sources.main_name, ": neither a text nor a list"));
}

}  // namespace

absl::StatusOr<std::unique_ptr<ChatTemplate>> ChatTemplate::Parse(
    std::string_view source, std::string_view config_json,
    const std::string& name) {
  COHORT_ASSIGN_OR_RETURN(const Value config, ReadConfig(config_json, name));
  COHORT_ASSIGN_OR_RETURN(Parsed parsed, ParseSource(source, name));
  Variables tokens;
  AddSpecialTokens(config, &tokens);
  return std::make_unique<ParsedChatTemplate>(std::move(parsed),
                                              std::move(tokens));
}

absl::StatusOr<std::unique_ptr<ChatTemplate>> ChatTemplate::Load(
    const std::string& folder) {
  const std::string config_name = folder + "/tokenizer_config.json";
  COHORT_ASSIGN_OR_RETURN(const Value config,
                          ReadConfig(ReadIfThere(config_name), config_name));
  const std::string map_name = folder + "/special_tokens_map.json";
  COHORT_ASSIGN_OR_RETURN(const Value map,
                          ReadConfig(ReadIfThere(map_name), map_name));
  Sources sources;
  const std::string file = folder + "/chat_template.jinja";
  const std::string tool_file =
      folder + "/additional_chat_templates/tool_use.jinja";
  std::error_code ignored;
  if (std::filesystem::exists(file, ignored)) {
    sources = {ReadIfThere(file), file, ReadIfThere(tool_file)};
  } else {
    COHORT_ASSIGN_OR_RETURN(sources, SourcesIn(config, config_name));
  }
  Variables tokens;
  AddSpecialTokens(config, &tokens);
  AddSpecialTokens(map, &tokens);
  COHORT_ASSIGN_OR_RETURN(Parsed main,
                          ParseSource(sources.main, sources.main_name));
  auto result =
      std::make_unique<ParsedChatTemplate>(std::move(main), std::move(tokens));
  if (!sources.with_tools.empty()) {
    COHORT_ASSIGN_OR_RETURN(
        Parsed with_tools,
        ParseSource(sources.with_tools, sources.main_name + " (tool_use)"));
    result->AddToolTemplate(std::move(with_tools));
  }
  return result;
}

}  // namespace cohort
