// Places in a text where an answer may stand; used by the extractors.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cohort {

struct Box {
  size_t begin = 0;  // Of the command.
  size_t end = 0;    // Behind the closing brace.
  std::string_view content;
};

// The last closed boxes of `text`, at most `most`, in order of their begin.
// `open` says whether a box was opened and never closed behind them.
std::vector<Box> LastBoxes(std::string_view text, size_t most, bool* open);

// The last box and those before it that belong to the same answer. Empty where
// there is none.
std::vector<std::string_view> JoinedBoxes(std::string_view text, bool join,
                                          bool* open, size_t* end);

struct Formula {
  size_t begin = 0;  // Of the delimiter.
  size_t end = 0;    // Behind the closing one.
  std::string_view content;
};

// Formulas between $..$, $$..$$, \(..\) and \[..\] in order; `inline_lines`
// says whether $..$ may hold a line break.
std::vector<Formula> Formulas(std::string_view text, size_t most);

// The formulas at the end of `formulas` that are joined by "and", "or" or
// commas into one answer, with a percent sign or unit behind.
std::string JoinedFormulas(std::string_view text,
                           const std::vector<Formula>& formulas, size_t first,
                           size_t last);

// How many formulas from `first` on are joined.
size_t JoinedRun(std::string_view text, const std::vector<Formula>& formulas,
                 size_t first);

// What stands behind the last "answer is", "answer:" and the like, to the end
// of its sentence, with where it begins. Nothing where there is no such words.
std::optional<std::string_view> LastAnchored(std::string_view text);

// The same for "la réponse est", "答案是" and other languages.
std::optional<std::string_view> LastForeignAnchored(std::string_view text);

}  // namespace cohort
