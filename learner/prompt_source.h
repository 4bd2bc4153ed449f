// Prompts in the order a stage takes them.
//
// A file is gone through once per epoch, in an order drawn from the run's seed,
// the stage and the epoch. A mix takes from the file that is furthest behind
// its share. Nothing is drawn from a generator with state: how many prompts
// were taken from each file says everything, and is what a checkpoint keeps.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "configs/config.h"
#include "proto/types.pb.h"

namespace cohort {

// Renders and tokenizes: fills in `tokens`, and `text` where the row had
// messages. Its error is passed on with the file and the prompt's id.
//   chat: the row as a request to ChatTemplate::Render, so that tools, tool
//   calls
//     and kwargs reach the template as they stood; empty where it had no
//     messages
using TokenizePrompt =
    std::function<absl::Status(const std::string& chat, Prompt* prompt)>;

struct PromptLoading {
  TokenizePrompt tokenize;  // None: prompts keep no tokens, none is too long.
  // For files that state no max_prompt_tokens; 0: no limit.
  int64_t max_prompt_tokens = 0;
  std::string format;  // Prompt.format of every prompt: "", "r1", "compact".
  std::string math_policy = {};  // Of prompts for "math" that state none.
};

// One file of a mix, loaded.
struct PromptSet {
  std::string file;
  double weight = 1.0;
  std::vector<Prompt> prompts;  // In the file's order.
  int64_t dropped_too_long = 0;
};

// The prompts of an rl stage.
struct StagePrompts {
  std::vector<PromptSet> training;
  std::vector<PromptSet> evaluation;
};

// Loads every file. Ids are unique over all of them.
//   kNotFound         no such file
//   kInvalidArgument  "<file>:<line>: ...", an unknown field name, a prompt
//                     without a verifier, an id twice, all prompts too long
absl::StatusOr<std::vector<PromptSet>> LoadPromptSets(
    const std::vector<PromptSetConfig>& configs, const PromptLoading& loading);

// A prompt with what makes this lease of it its own.
struct SourcedPrompt {
  Prompt prompt;
  Occurrence occurrence;
};

// "<stage>/<prompt id>/<occurrence>".
std::string GroupId(const Occurrence& occurrence);

// Single-threaded.
class PromptSource {
 public:
  // Requires at least one set, none empty, weights > 0; a stage's name has no
  // '/'.
  PromptSource(std::vector<PromptSet> sets, uint64_t run_seed,
               std::string stage);

  // The next `n` prompts. Never ends: an epoch follows the other.
  std::vector<SourcedPrompt> Take(int n);

  // Where the source stands, as one line of JSON.
  std::string SaveState() const;

  // Continues where SaveState() was called.
  //   kInvalidArgument    not a state
  //   kFailedPrecondition the files are not those it was saved with
  absl::Status RestoreState(std::string_view state);

  const std::vector<PromptSet>& sets() const { return sets_; }
  int64_t taken() const;  // In all.

 private:
  struct Cursor {
    int64_t taken = 0;           // Prompts taken from this set so far.
    int64_t epoch = -1;          // Of `order`; -1 before the first.
    std::vector<int64_t> order;  // Indices into the set's prompts.
  };

  size_t NextSet() const;

  std::vector<PromptSet> sets_;
  const uint64_t run_seed_;
  const std::string stage_;
  std::vector<Cursor> cursors_;
};

}  // namespace cohort
