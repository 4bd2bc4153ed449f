#include "model/completion_format.h"

namespace cohort {
namespace {

bool Has(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

bool EndsWith(std::string_view text, std::string_view end) {
  return text.size() >= end.size() &&
         text.substr(text.size() - end.size()) == end;
}

void AddTools(std::string_view source, CompletionFormat* format) {
  if (Has(source, "<｜tool▁calls▁begin｜>")) {
    format->calls_begin = "<｜tool▁calls▁begin｜>";
    format->calls_end = "<｜tool▁calls▁end｜>";
    format->call_begin = "<｜tool▁call▁begin｜>";
    format->call_end = "<｜tool▁call▁end｜>";
    format->separator = "<｜tool▁sep｜>";
    format->call_form =
        Has(source, "```json") ? CallForm::kFenced : CallForm::kNamed;
  } else if (Has(source, "｜DSML｜")) {
    format->mark = "｜DSML｜";
    format->calls_begin = "<｜DSML｜function_calls>";
    format->calls_end = "</｜DSML｜function_calls>";
    format->call_begin = "<｜DSML｜invoke";
    format->call_end = "</｜DSML｜invoke>";
    format->call_form = CallForm::kMarkup;
  } else if (Has(source, "<tool_call>")) {
    format->call_begin = "<tool_call>";
    format->call_end = "</tool_call>";
    format->call_form = CallForm::kObject;
  } else if (Has(source, "tool_calls") && Has(source, "\"parameters\": ")) {
    format->mark = "<|python_tag|>";
    format->call_form = CallForm::kWhole;
  }
}

}  // namespace

CompletionFormat DetectCompletionFormat(std::string_view source,
                                        std::string_view eos_token) {
  CompletionFormat format;
  if (Has(source, "</think>")) {
    format.think_begin = "<think>";
    format.think_end = "</think>";
  }
  AddTools(source, &format);
  if (!eos_token.empty()) format.ends.emplace_back(eos_token);
  for (const std::string_view end :
       {"<|im_end|>", "<|eot_id|>", "<|eom_id|>", "<｜end▁of▁sentence｜>"}) {
    if (end != eos_token && Has(source, end)) format.ends.emplace_back(end);
  }
  return format;
}

CompletionStart StartBehind(std::string_view prompt,
                            const CompletionFormat& format) {
  if (format.think_end.empty()) return CompletionStart::kInAnswer;
  while (!prompt.empty() && prompt.back() == '\n') prompt.remove_suffix(1);
  if (EndsWith(prompt, format.think_begin)) {
    return CompletionStart::kInReasoning;
  }
  return EndsWith(prompt, format.think_end) ? CompletionStart::kInAnswer
                                            : CompletionStart::kAnywhere;
}

}  // namespace cohort
