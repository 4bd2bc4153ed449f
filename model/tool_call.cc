// The text of one tool call.
#include <optional>

#include "model/completion_parser.h"
#include "model/jinja/json_text.h"
#include "model/jinja/text.h"

namespace cohort {
namespace {

using jinja::Kind;
using jinja::Value;

constexpr size_t kNone = std::string_view::npos;

std::string_view Trim(std::string_view text) {
  return jinja::StripSpace(text, jinja::Side::kBoth);
}

// `arguments` as an object's text: an object, or a text that is one.
bool SetArguments(const Value& arguments, ToolCall* call) {
  Value object = arguments;
  if (object.Is(Kind::kString)) {
    const jinja::Result read = jinja::FromJson(object.text());
    if (!read.ok()) return false;
    object = *read;
  }
  if (!object.Is(Kind::kDict)) return false;
  const absl::StatusOr<std::string> text = jinja::ToJson(object, {});
  if (!text.ok()) return false;
  call->arguments = *text;
  return true;
}

// {"name": ..., "arguments" or "parameters": {...}}.
bool ParseObject(std::string_view text, ToolCall* call) {
  const jinja::Result read = jinja::FromJson(Trim(text));
  if (!read.ok() || !read->Is(Kind::kDict)) return false;
  const Value* const name = read->dict().Find("name");
  const Value* arguments = read->dict().Find("arguments");
  if (arguments == nullptr) arguments = read->dict().Find("parameters");
  if (name == nullptr || !name->Is(Kind::kString) || arguments == nullptr) {
    return false;
  }
  call->name = name->text();
  return SetArguments(*arguments, call);
}

bool ParseNamed(std::string_view name, std::string_view arguments,
                ToolCall* call) {
  call->name = std::string(Trim(name));
  const jinja::Result read = jinja::FromJson(Trim(arguments));
  return !call->name.empty() && read.ok() && read->Is(Kind::kDict) &&
         SetArguments(*read, call);
}

// NAME, then {...} between "```json" and "```".
bool ParseFenced(std::string_view text, ToolCall* call) {
  constexpr std::string_view kOpen = "```json";
  const size_t open = text.find(kOpen);
  const size_t close = text.rfind("```");
  if (open == kNone || close <= open) return false;
  const size_t begin = open + kOpen.size();
  return ParseNamed(text.substr(0, open), text.substr(begin, close - begin),
                    call);
}

// The value of name="..." in a tag's head.
std::optional<std::string> AttributeOf(std::string_view head,
                                       const std::string& name) {
  const std::string mark = name + "=\"";
  const size_t at = head.find(mark);
  if (at == kNone) return std::nullopt;
  const size_t begin = at + mark.size();
  const size_t end = head.find('"', begin);
  if (end == kNone) return std::nullopt;
  return std::string(head.substr(begin, end - begin));
}

// ` name="x">`, then `<MARKparameter name="k" string="true">v</MARKparameter>`
// for each parameter: a text as it stands, or JSON.
bool ParseMarkup(std::string_view text, const std::string& mark,
                 ToolCall* call) {
  const size_t head_end = text.find('>');
  if (head_end == kNone) return false;
  const std::optional<std::string> name =
      AttributeOf(text.substr(0, head_end), "name");
  if (!name) return false;
  call->name = *name;
  const std::string open = "<" + mark + "parameter";
  const std::string close = "</" + mark + "parameter>";
  jinja::DictBuilder arguments;
  std::string_view rest = Trim(text.substr(head_end + 1));
  while (!rest.empty()) {
    if (rest.substr(0, open.size()) != open) return false;
    const size_t tag_end = rest.find("\">", open.size());
    const size_t end = tag_end == kNone ? kNone : rest.find(close, tag_end);
    if (end == kNone) return false;
    const std::string_view head = rest.substr(0, tag_end + 1);
    const std::string value(rest.substr(tag_end + 2, end - tag_end - 2));
    const std::optional<std::string> key = AttributeOf(head, "name");
    const std::optional<std::string> is_text = AttributeOf(head, "string");
    if (!key || !is_text) return false;
    if (*is_text == "true") {
      arguments.Set(*key, Value::String(value));
    } else {
      const jinja::Result read = jinja::FromJson(value);
      if (!read.ok()) return false;
      arguments.Set(*key, *read);
    }
    rest = Trim(rest.substr(end + close.size()));
  }
  const jinja::Result object = arguments.Build();
  return object.ok() && SetArguments(*object, call);
}

}  // namespace

bool ParseToolCall(std::string_view text, const CompletionFormat& format,
                   ToolCall* call) {
  const size_t separator =
      format.separator.empty() ? kNone : text.find(format.separator);
  const size_t behind = separator + format.separator.size();
  switch (format.call_form) {
    case CallForm::kNone:
      return false;
    case CallForm::kObject:
      return ParseObject(text, call);
    case CallForm::kNamed:
      return separator != kNone &&
             ParseNamed(text.substr(0, separator), text.substr(behind), call);
    case CallForm::kFenced:
      return separator != kNone && ParseFenced(text.substr(behind), call);
    case CallForm::kMarkup:
      return ParseMarkup(text, format.mark, call);
    case CallForm::kWhole: {
      text = Trim(text);
      if (text.substr(0, format.mark.size()) == format.mark) {
        text.remove_prefix(format.mark.size());
      }
      return ParseObject(text, call);
    }
  }
  return false;
}

}  // namespace cohort
