// Prompt files and other row files <-> messages. Errors name the file and the
// line, of a Parquet file ("<path>: row 7: ...") the row. JSON stays inside
// rows.cc.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "proto/status.h"
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
  std::string policy = "policy";
};

// `names`: Cohort's name of a field -> the file's own; the rest keep theirs.
//   kInvalidArgument  "prompts have no field '<name>'"
absl::StatusOr<PromptFields> MapFields(
    const std::map<std::string, std::string>& names);

// Reads a whole file. kNotFound when there is none.
absl::StatusOr<std::string> ReadFile(const std::string& path);

// Writes `content` so that a reader sees all of it or the old file: a temporary
// beside it, fsync, rename, fsync of the folder.
absl::Status WriteFileAtomically(const std::string& path,
                                 std::string_view content);

// Makes the finished file `temporary` the file `path`, as WriteFileAtomically
// does; removes it where that fails.
absl::Status PublishFile(const std::string& temporary, const std::string& path);

// Reads a whole file, or standard input where `path` is "-".
absl::StatusOr<std::string> ReadInput(const std::string& path);

// Writes `content` atomically, or to standard output where `path` is "-". A
// device or a pipe is written to and stays what it is.
absl::Status WriteOutput(const std::string& path, std::string_view content);

// Calls `use` with every line of a JSONL file that is not blank and its number,
// from 1, in order; of a file that is called *.parquet with every row, as JSON
// (see proto/parquet.h). "-" is standard input. Only \n ends a line; a \r
// before it is taken for part of the ending. Ends at the first error, which it
// returns behind "<path>:<line>: " or "<path>: row <number>: ".
absl::Status ForEachRow(
    const std::string& path,
    const std::function<absl::Status(int64_t number, std::string_view line)>&
        use);

// What `parse(line, "<path>:<line>")` makes of every row; see ForEachRow.
template <typename Row>
absl::StatusOr<std::vector<Row>> ParseRows(
    const std::string& path,
    absl::StatusOr<Row> (*parse)(std::string_view line,
                                 const std::string& place)) {
  std::vector<Row> rows;
  COHORT_RETURN_IF_ERROR(
      ForEachRow(path, [&](int64_t number, std::string_view line) {
        absl::StatusOr<Row> row = parse(line, absl::StrCat(path, ":", number));
        if (row.ok()) rows.push_back(*std::move(row));
        return row.status();
      }));
  return rows;
}

// Reads prompts from a JSONL or Parquet file; blank lines are skipped.
// `verifier` fills in rows that name none. An `answer` may be a string or a
// number; of a GSM8K-style answer ("... #### 42") the part behind the last
// "####" is kept.
//   kNotFound         no such file
//   kInvalidArgument  "<file>:<line>: ...": not JSON, no prompt, an id twice
absl::StatusOr<std::vector<Prompt>> ReadPrompts(const std::string& path,
                                                const PromptFields& fields,
                                                const std::string& verifier);

// Reads a JSONL, Parquet or plain-text corpus: the field `field` of every row,
// or whole lines where the file's name ends in ".txt".
absl::StatusOr<std::vector<std::string>> ReadTexts(const std::string& path,
                                                   const std::string& field);

// "correct", "wrong", ...: as they stand in JSON.
std::string_view VerdictName(Verdict verdict);

// `name` in lower case as VerdictName gives it; VERDICT_UNSPECIFIED if unknown.
Verdict ParseVerdict(std::string_view name);

}  // namespace cohort
