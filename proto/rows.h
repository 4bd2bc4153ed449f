// Prompt files and other row files <-> messages. Errors name the file and the
// line. JSON stays inside rows.cc.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "proto/types.pb.h"

namespace cohort {

// Which field of a file's rows holds what; the defaults are Cohort's own names.
struct PromptFields {
  std::string id = "id";
  std::string prompt = "prompt";
  std::string messages = "messages";
  std::string verifier = "verifier";
  std::string answer = "answer";
  std::string numbers = "numbers";
  std::string target = "target";
  std::string source = "source";
};

// Reads a whole file. kNotFound when there is none.
absl::StatusOr<std::string> ReadFile(const std::string& path);

// Writes `content` so that a reader sees all of it or the old file: a temporary
// beside it, fsync, rename, fsync of the folder.
absl::Status WriteFileAtomically(const std::string& path,
                                 std::string_view content);

// Reads prompts from a JSONL file; blank lines are skipped. `verifier` fills in
// rows that name none. An `answer` may be a string or a number; of a
// GSM8K-style answer ("... #### 42") the part behind the last "####" is kept.
//   kNotFound         no such file
//   kInvalidArgument  "<file>:<line>: ...": not JSON, no prompt, an id twice
absl::StatusOr<std::vector<Prompt>> ReadPrompts(const std::string& path,
                                                const PromptFields& fields,
                                                const std::string& verifier);

// Reads a JSONL or plain-text corpus: the field `field` of every row, or whole
// lines where the file's name ends in ".txt".
absl::StatusOr<std::vector<std::string>> ReadTexts(const std::string& path,
                                                   const std::string& field);

// "correct", "wrong", ...: as they stand in JSON.
std::string_view VerdictName(Verdict verdict);

// `name` in lower case as VerdictName gives it; VERDICT_UNSPECIFIED if unknown.
Verdict ParseVerdict(std::string_view name);

}  // namespace cohort
