// Rows with tests for code -> what the judge takes: the rows of `cohort exec`,
// and prompts whose verifier is `code`.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "rewards/judge.h"

namespace cohort {

// Task suites get this much CPU time, unless a row says otherwise.
inline constexpr absl::Duration kSuiteCpu = absl::Seconds(10);

struct ExecRow {
  std::string file;  // As it stood.
  std::string flaw;  // Why it cannot be run; empty if it can.
  std::string pair;  // A row that must be run around it; see exec_verb.cc.
  int runs = 1;      // In a row; the worst verdict counts.
  Source source;     // Its text is read by the caller.
  TestSet tests;
};

// One row of a manifest. kInvalidArgument: not JSON. All other flaws are the
// row's own.
absl::StatusOr<ExecRow> ParseExecRow(std::string_view line,
                                     const std::string& place);

// The limits of an object {"limits": {...}}; the defaults where it has none.
absl::StatusOr<Limits> LimitsOfRow(std::string_view json);

// What a prompt with the verifier `code` asks for.
struct CodeTask {
  std::string language;  // Empty: the code block says, or Python.
  // Comes before a submission that only continues it (HumanEval).
  std::string prefix;
  TestSet tests;
};

// Understands
//   {"tests": [{"stdin", "stdout"}, ...]}           also "input", "output"; the
//                                                   list may be a text of JSON
//   {"tests": {"entry_point", "test"}}              and "cases" of values
//   {"entry_point", "test", "prompt"}               HumanEval
//   {"test_list", "test_setup_code"}, {"test": []}  MBPP
// with optional "language", "checker", "checker_program", "limits" and
// "partial_credit". kInvalidArgument: says what is missing or wrong.
absl::StatusOr<CodeTask> TaskOfRow(std::string_view row_json);

}  // namespace cohort
