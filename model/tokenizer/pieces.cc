#include "model/tokenizer/pieces.h"

#include "absl/strings/str_cat.h"
#include "proto/status.h"

namespace cohort {

std::string* Pieces::FreeText() {
  std::string* const free =
      text.data() == texts[0].data() ? &texts[1] : &texts[0];
  free->clear();
  return free;
}

void Pieces::Advance(std::string_view new_text) {
  spans.swap(next_spans);
  next_spans.clear();
  text = new_text;
}

absl::StatusOr<SplitBehavior> ParseSplitBehavior(const JsonPart& component,
                                                 const char* otherwise) {
  COHORT_ASSIGN_OR_RETURN(const std::string name,
                          component.Text("behavior", otherwise));
  if (name == "Removed") return SplitBehavior::kRemoved;
  if (name == "Isolated") return SplitBehavior::kIsolated;
  if (name == "MergedWithPrevious") return SplitBehavior::kMergedWithPrevious;
  if (name == "MergedWithNext") return SplitBehavior::kMergedWithNext;
  if (name == "Contiguous") return SplitBehavior::kContiguous;
  return component.Wrong(absl::StrCat("unknown behavior \"", name, "\""));
}

void Splitter::Push(Span part) {
  if (part.begin == part.end) return;
  out_->push_back({begin_ + part.begin, begin_ + part.end});
}

void Splitter::Add(Span part, bool is_match) {
  bool joins = false;  // The part before it.
  switch (behavior_) {
    case SplitBehavior::kRemoved:
      if (!is_match) Push(part);
      return;
    case SplitBehavior::kIsolated:
      Push(part);
      return;
    case SplitBehavior::kMergedWithPrevious:
      joins = has_last_ && is_match && !last_was_match_;
      break;
    case SplitBehavior::kMergedWithNext:
      joins = has_last_ && !is_match && last_was_match_;
      break;
    case SplitBehavior::kContiguous:
      joins = has_last_ && is_match == last_was_match_;
      break;
  }
  if (joins) {
    last_.end = part.end;
  } else {
    Finish();
    last_ = part;
    has_last_ = true;
  }
  last_was_match_ = is_match;
}

void Splitter::Finish() {
  if (has_last_) Push(last_);
  has_last_ = false;
}

}  // namespace cohort
