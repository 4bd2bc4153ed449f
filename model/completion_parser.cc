#include "model/completion_parser.h"

#include <algorithm>

namespace cohort {
namespace {

constexpr size_t kNone = std::string::npos;

// The first of `marks` in `text`: where it begins, and which it is.
struct Found {
  size_t at = kNone;
  size_t which = kNone;
};

Found FindFirst(std::string_view text, const std::vector<std::string>& marks) {
  Found found;
  for (size_t i = 0; i < marks.size(); ++i) {
    if (marks[i].empty()) continue;
    const size_t at = text.find(marks[i]);
    if (at < found.at) found = {at, i};
  }
  return found;
}

// Bytes at the end of `text` that may be the beginning of one of `marks`.
size_t HeldBack(std::string_view text, const std::vector<std::string>& marks) {
  size_t most = 0;
  for (const std::string& mark : marks) {
    for (size_t n = std::min(text.size(), mark.empty() ? 0 : mark.size() - 1);
         n > most; --n) {
      if (text.substr(text.size() - n) == std::string_view(mark).substr(0, n)) {
        most = n;
      }
    }
  }
  return most;
}

bool IsSpace(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }

size_t SpaceLength(std::string_view text) {
  return static_cast<size_t>(
      std::find_if_not(text.begin(), text.end(), IsSpace) - text.begin());
}

bool IsPrefix(std::string_view part, std::string_view whole) {
  return whole.substr(0, part.size()) == part;
}

}  // namespace

CompletionParser::CompletionParser(CompletionFormat format,
                                   CompletionStart start)
    : format_(std::move(format)), state_(State::kStart) {
  if (start == CompletionStart::kInReasoning) state_ = State::kReasoning;
  parsed_.reasoning_ended =
      start == CompletionStart::kInAnswer && !format_.think_end.empty();
}

void CompletionParser::Feed(std::string_view text) {
  pending_ += text;
  while (Step(/*is_last=*/false)) {
  }
}

ParsedCompletion CompletionParser::Finish() {
  while (Step(/*is_last=*/true)) {
  }
  if (state_ == State::kWhole) EndWhole();
  // Line breaks that nothing followed are the answer's own.
  if (state_ == State::kAnswer && !at_part_start_) {
    parsed_.answer += line_breaks_;
  }
  return std::move(parsed_);
}

bool CompletionParser::Step(bool is_last) {
  switch (state_) {
    case State::kStart:
      return StepStart(is_last);
    case State::kReasoning:
      return StepReasoning(is_last);
    case State::kAnswer:
      return StepAnswer(is_last);
    case State::kBetweenCalls:
      return StepBetweenCalls(is_last);
    case State::kCall:
      return StepCall(is_last);
    case State::kWhole: {
      const Found end = FindFirst(pending_, format_.ends);
      if (end.at == kNone) return false;
      pending_.resize(end.at);
      EndWhole();
      state_ = State::kEnded;
      return false;
    }
    case State::kEnded:
      pending_.clear();
      return false;
  }
  return false;
}

// The answer has begun, unless the first thing said is that reasoning begins,
// or a call that is the whole completion.
bool CompletionParser::StepStart(bool is_last) {
  const std::string_view text =
      std::string_view(pending_).substr(SpaceLength(pending_));
  const bool may_reason =
      !parsed_.reasoning_ended && !format_.think_begin.empty();
  if (may_reason && IsPrefix(format_.think_begin, text)) {
    Drop(pending_.size() - text.size() + format_.think_begin.size());
    state_ = State::kReasoning;
    return true;
  }
  const bool is_whole = format_.call_form == CallForm::kWhole;
  if (is_whole && !text.empty() &&
      (text[0] == '{' || IsPrefix(format_.mark, text))) {
    state_ = State::kWhole;
    return true;
  }
  const bool may_follow = text.empty() ||
                          (may_reason && IsPrefix(text, format_.think_begin)) ||
                          (is_whole && IsPrefix(text, format_.mark));
  if (may_follow && !is_last) return false;
  state_ = State::kAnswer;
  at_part_start_ = parsed_.reasoning_ended;
  return true;
}

void CompletionParser::Emit(size_t end, std::string* out) {
  std::string_view text = std::string_view(pending_).substr(0, end);
  if (at_part_start_) {
    const size_t first = std::min(text.find_first_not_of('\n'), text.size());
    text.remove_prefix(first);
  }
  if (!text.empty()) {
    at_part_start_ = false;
    const size_t last = text.find_last_not_of('\n');
    if (last != kNone) {
      *out += line_breaks_;
      line_breaks_.clear();
      *out += text.substr(0, last + 1);
    }
    line_breaks_ += text.substr(last == kNone ? 0 : last + 1);
  }
  Drop(end);
}

bool CompletionParser::StepReasoning(bool is_last) {
  std::vector<std::string> marks = {format_.think_end};
  marks.insert(marks.end(), format_.ends.begin(), format_.ends.end());
  const Found found = FindFirst(pending_, marks);
  if (found.at == kNone) {
    const size_t held = is_last ? 0 : HeldBack(pending_, marks);
    Emit(pending_.size() - held, &parsed_.reasoning);
    return false;
  }
  Emit(found.at, &parsed_.reasoning);
  line_breaks_.clear();
  at_part_start_ = true;
  if (found.which > 0) {
    state_ = State::kEnded;
    return true;
  }
  Drop(format_.think_end.size());
  parsed_.reasoning_ended = true;
  // What follows may be a call that is the whole answer.
  state_ =
      format_.call_form == CallForm::kWhole ? State::kStart : State::kAnswer;
  return true;
}

bool CompletionParser::StepAnswer(bool is_last) {
  std::vector<std::string> marks = {format_.calls_begin, format_.call_begin};
  marks.insert(marks.end(), format_.ends.begin(), format_.ends.end());
  const Found found = FindFirst(pending_, marks);
  if (found.at == kNone) {
    const size_t held = is_last ? 0 : HeldBack(pending_, marks);
    Emit(pending_.size() - held, &parsed_.answer);
    return false;
  }
  Emit(found.at, &parsed_.answer);
  if (found.which > 1) {
    if (!at_part_start_) parsed_.answer += line_breaks_;
    state_ = State::kEnded;
    return true;
  }
  line_breaks_.clear();
  Drop(marks[found.which].size());
  state_ = found.which == 0 ? State::kBetweenCalls : State::kCall;
  return true;
}

bool CompletionParser::StepBetweenCalls(bool is_last) {
  Drop(SpaceLength(pending_));
  if (IsPrefix(format_.call_begin, pending_)) {
    Drop(format_.call_begin.size());
    state_ = State::kCall;
    return true;
  }
  if (!format_.calls_end.empty() && IsPrefix(format_.calls_end, pending_)) {
    Drop(format_.calls_end.size());
    at_part_start_ = true;
    state_ = State::kAnswer;
    return true;
  }
  const bool may_follow = IsPrefix(pending_, format_.call_begin) ||
                          IsPrefix(pending_, format_.calls_end);
  if (may_follow || is_last) return false;
  at_part_start_ = true;
  state_ = State::kAnswer;
  return true;
}

bool CompletionParser::StepCall(bool is_last) {
  std::vector<std::string> marks = {format_.call_end};
  marks.insert(marks.end(), format_.ends.begin(), format_.ends.end());
  const Found found = FindFirst(pending_, marks);
  if (found.at == kNone) {
    if (is_last) {
      parsed_.broken_calls.push_back(pending_);
      pending_.clear();
      state_ = State::kEnded;
    }
    return false;
  }
  const std::string text = pending_.substr(0, found.at);
  ToolCall call;
  if (found.which == 0 && ParseToolCall(text, format_, &call)) {
    parsed_.tool_calls.push_back(std::move(call));
  } else {
    parsed_.broken_calls.push_back(text);
  }
  if (found.which > 0) {
    state_ = State::kEnded;
    return true;
  }
  Drop(found.at + format_.call_end.size());
  state_ = State::kBetweenCalls;
  return true;
}

// A text that turns out to be no call is the answer.
void CompletionParser::EndWhole() {
  ToolCall call;
  if (ParseToolCall(pending_, format_, &call)) {
    parsed_.tool_calls.push_back(std::move(call));
  } else {
    parsed_.answer += pending_;
  }
  pending_.clear();
}

}  // namespace cohort
