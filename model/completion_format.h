// How a model writes reasoning and tool calls into its completions.
//
// Families differ in their delimiters, not in what these mean, so a format is
// data; which one holds is read off the folder's own chat template, which
// writes the same delimiters into the turns that it renders.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace cohort {

// How the text of one call between `call_begin` and `call_end` is written.
enum class CallForm {
  kNone,    // The model calls no tools.
  kObject,  // {"name": ..., "arguments": {...}} (Qwen2.5, Qwen3)
  kNamed,   // NAME separator {...} (DeepSeek-V3.1)
  kFenced,  // function separator NAME, then {...} in a ```json fence
            // (DeepSeek-V3, R1)
  kMarkup,  // parameters in tags of their own (DeepSeek-V3.2)
  kWhole,   // the whole completion is {"name": ..., "parameters": {...}}
            // (Llama 3)
};

struct CompletionFormat {
  std::string think_begin;  // Empty: the model does not reason.
  std::string think_end;

  CallForm call_form = CallForm::kNone;
  std::string calls_begin;  // Around all calls; empty where nothing is.
  std::string calls_end;
  std::string call_begin;
  std::string call_end;
  std::string separator;  // Of kNamed and kFenced.
  // kMarkup: what the names of its tags begin with. kWhole: a token that may
  // stand before a call.
  std::string mark;

  std::vector<std::string> ends;  // What is behind any of them does not count.
};

// `source`: the chat template. `eos_token`: may be empty.
CompletionFormat DetectCompletionFormat(std::string_view source,
                                        std::string_view eos_token);

// Where a completion begins: a prompt may end inside the reasoning, or behind
// it.
enum class CompletionStart { kAnywhere, kInReasoning, kInAnswer };

// `prompt`: as rendered, with add_generation_prompt.
CompletionStart StartBehind(std::string_view prompt,
                            const CompletionFormat& format);

}  // namespace cohort
