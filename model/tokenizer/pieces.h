// A text on its way through pre-tokenizers: cut into pieces.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "model/tokenizer/json_part.h"
#include "model/tokenizer/regex.h"

namespace cohort {

// Reused from text to text, so that nothing is allocated anew.
struct Pieces {
  std::string_view text;        // What `spans` are of.
  std::vector<Span> spans;      // None empty; ascending, may leave gaps.
  bool first_at_start = false;  // spans[0] begins the whole text.
  bool has_additions = false;   // CheckText's.
  size_t most_bytes = 0;        // MostRewrittenBytes of the original.
  RegexScratch regex;

  // For what is being made of `spans` and `text`.
  std::vector<Span> next_spans;
  std::vector<Span> matches;
  std::array<std::string, 2> texts;

  std::string_view PieceAt(size_t i) const {
    return text.substr(spans[i].begin, spans[i].end - spans[i].begin);
  }

  // One of `texts` that `text` does not point into, emptied.
  std::string* FreeText();

  // Makes next_spans the pieces, of `new_text` if it is another.
  void Advance(std::string_view new_text);
};

// What becomes of the matches of a splitting pattern; named as in the file.
enum class SplitBehavior {
  kRemoved,
  kIsolated,
  kMergedWithPrevious,
  kMergedWithNext,
  kContiguous,
};

// From the member "behavior"; `otherwise` where that is absent.
absl::StatusOr<SplitBehavior> ParseSplitBehavior(const JsonPart& component,
                                                 const char* otherwise);

// Cuts one piece: takes the matches and what lies between them from left to
// right and appends the resulting pieces.
class Splitter {
 public:
  // `begin`: where the piece begins in the text; `out` is appended to.
  Splitter(SplitBehavior behavior, size_t begin, std::vector<Span>* out)
      : behavior_(behavior), begin_(begin), out_(out) {}

  // `part` counts from `begin`.
  void Add(Span part, bool is_match);

  // To be called after the last part.
  void Finish();

 private:
  void Push(Span part);

  SplitBehavior behavior_;
  size_t begin_;
  std::vector<Span>* out_;
  Span last_;  // Not yet in `out`, since it may grow.
  bool has_last_ = false;
  bool last_was_match_ = false;
};

}  // namespace cohort
