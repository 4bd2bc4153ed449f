// Takes completions apart: reasoning, answer, tool calls; also while they are
// being sampled, with the same result wherever the stream is cut.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "model/completion_format.h"

namespace cohort {

struct ToolCall {
  std::string name;
  std::string arguments;  // A JSON object, as json.dumps writes it.
};

struct ParsedCompletion {
  std::string reasoning;
  std::string answer;
  std::vector<ToolCall> tool_calls;
  // Texts in a call's place that are no call, cut short or malformed.
  std::vector<std::string> broken_calls;
  bool reasoning_ended = false;  // Its end stood in the completion or before.
};

// One completion. Line breaks next to a delimiter belong to it, not to what it
// delimits.
class CompletionParser {
 public:
  CompletionParser(CompletionFormat format, CompletionStart start);

  // The next piece of text, of any length; valid UTF-8 only as a whole.
  void Feed(std::string_view text);

  // What is certain so far: grows with every Feed, and is never taken back.
  const ParsedCompletion& so_far() const { return parsed_; }

  // Ends the completion. Called once.
  ParsedCompletion Finish();

 private:
  enum class State {
    kStart,
    kReasoning,
    kAnswer,
    kBetweenCalls,
    kCall,
    kWhole,
    kEnded
  };

  // Does what the pending text allows; false when it needs more.
  bool Step(bool is_last);
  bool StepStart(bool is_last);
  bool StepReasoning(bool is_last);
  bool StepAnswer(bool is_last);
  bool StepBetweenCalls(bool is_last);
  bool StepCall(bool is_last);
  void EndWhole();

  // Moves pending text before `end` to *out, but for line breaks at its end:
  // they wait for what follows.
  void Emit(size_t end, std::string* out);
  void Drop(size_t bytes) { pending_.erase(0, bytes); }
  void EndAt(size_t at);

  const CompletionFormat format_;
  State state_;
  bool at_part_start_ = true;  // Line breaks here belong to a delimiter.
  std::string line_breaks_;    // Seen, and given out if text follows.
  std::string pending_;
  ParsedCompletion parsed_;
};

// The text of one call, as `format` says. False if it is none.
bool ParseToolCall(std::string_view text, const CompletionFormat& format,
                   ToolCall* call);

}  // namespace cohort
