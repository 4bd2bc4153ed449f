#include "rewards/code_rows.h"

#include <algorithm>
#include <cstdint>
#include <optional>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "proto/status.h"

namespace cohort {
namespace {

using Kind = PyValue::Kind;

absl::Status Missing(absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("no ", what));
}

absl::Status WrongType(absl::string_view key, absl::string_view expected) {
  return absl::InvalidArgumentError(
      absl::StrCat("'", key, "' is not ", expected));
}

// Null where the key is missing or its value is.
const PyValue* Find(const PyValue& row, std::string_view key) {
  const PyValue* const found = FindKey(row, key);
  return found == nullptr || found->kind == Kind::kNone ? nullptr : found;
}

// Leaves `text` where the key is missing.
absl::Status TakeText(const PyValue& row, const char* key, std::string* text) {
  const PyValue* const value = Find(row, key);
  if (value == nullptr) return absl::OkStatus();
  if (value->kind != Kind::kStr) return WrongType(key, "a text");
  *text = value->text;
  return absl::OkStatus();
}

absl::StatusOr<int64_t> Integer(const PyValue& value, const char* key) {
  int64_t number = 0;
  const bool negative = value.kind == Kind::kInt && value.text[0] == '-';
  if (value.kind != Kind::kInt || value.text.size() > 15 ||
      !absl::SimpleHexAtoi(value.text.substr(negative ? 1 : 0), &number)) {
    return WrongType(key, "a whole number");
  }
  return negative ? -number : number;
}

// Leaves `number` where the key is missing.
absl::Status TakeInteger(const PyValue& row, const char* key, int64_t* number) {
  const PyValue* const value = Find(row, key);
  if (value == nullptr) return absl::OkStatus();
  COHORT_ASSIGN_OR_RETURN(*number, Integer(*value, key));
  return absl::OkStatus();
}

// A text, or [piece, times, end] under `key` + "_gen".
absl::Status TakeLongText(const PyValue& row, const std::string& key,
                          std::string* text) {
  constexpr int64_t kMaxBytes = int64_t{256} << 20;
  const std::string gen_key = key + "_gen";
  const PyValue* const gen = Find(row, gen_key);
  if (gen == nullptr) return TakeText(row, key.c_str(), text);
  if (gen->kind != Kind::kList || gen->items.size() != 3 ||
      gen->items[0].kind != Kind::kStr || gen->items[2].kind != Kind::kStr) {
    return WrongType(gen_key, "[text, times, text]");
  }
  COHORT_ASSIGN_OR_RETURN(const int64_t times,
                          Integer(gen->items[1], gen_key.c_str()));
  const std::string& piece = gen->items[0].text;
  if (times < 0 || (!piece.empty() &&
                    times > kMaxBytes / static_cast<int64_t>(piece.size()))) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", gen_key, "' makes more than ", kMaxBytes, " bytes"));
  }
  text->clear();
  text->reserve(static_cast<size_t>(times) * piece.size());
  for (int64_t i = 0; i < times && !piece.empty(); ++i) *text += piece;
  *text += gen->items[2].text;
  return absl::OkStatus();
}

// {"cpu_ms", "wall_ms", "memory_mb", "processes", "output_bytes", "file_mb",
// "compile_ms", "compile_memory_mb"}, each optional.
absl::Status TakeLimits(const PyValue& row, TestSet* tests) {
  const PyValue* const limits = Find(row, "limits");
  if (limits == nullptr) return absl::OkStatus();
  if (limits->kind != Kind::kDict) return WrongType("limits", "an object");
  Limits& run = tests->limits;
  int64_t cpu_ms = absl::ToInt64Milliseconds(run.cpu);
  COHORT_RETURN_IF_ERROR(TakeInteger(*limits, "cpu_ms", &cpu_ms));
  int64_t wall_ms = std::max(absl::ToInt64Milliseconds(run.wall), cpu_ms * 6);
  int64_t memory_mb = run.memory_bytes >> 20;
  int64_t file_mb = run.disk_bytes >> 20;
  int64_t processes = run.processes;
  int64_t compile_ms = absl::ToInt64Milliseconds(tests->compile_limits.cpu);
  int64_t compile_mb = tests->compile_limits.memory_bytes >> 20;
  const std::pair<const char*, int64_t*> fields[] = {
      {"wall_ms", &wall_ms},
      {"memory_mb", &memory_mb},
      {"processes", &processes},
      {"output_bytes", &run.output_bytes},
      {"file_mb", &file_mb},
      {"compile_ms", &compile_ms},
      {"compile_memory_mb", &compile_mb}};
  constexpr int64_t kMost = int64_t{1} << 30;  // Shifts stay in 64 bits.
  for (const auto& [key, number] : fields) {
    COHORT_RETURN_IF_ERROR(TakeInteger(*limits, key, number));
    if (*number < 1 || *number > kMost) {
      return absl::InvalidArgumentError(
          absl::StrCat("limit ", key, " is ", *number));
    }
  }
  run.cpu = absl::Milliseconds(cpu_ms);
  run.wall = absl::Milliseconds(wall_ms);
  // A wall limit that was asked for is one.
  run.wall_most = Find(*limits, "wall_ms") != nullptr ? run.wall : run.wall * 2;
  run.memory_bytes = memory_mb << 20;
  run.disk_bytes = file_mb << 20;
  run.processes = static_cast<int>(processes);
  tests->compile_limits.cpu = absl::Milliseconds(compile_ms);
  tests->compile_limits.memory_bytes = compile_mb << 20;
  return CheckLimits(run);
}

absl::Status TakeChecker(const PyValue& row, TestSet* tests) {
  std::string name;
  COHORT_RETURN_IF_ERROR(TakeText(row, "checker", &name));
  COHORT_ASSIGN_OR_RETURN(tests->checker, ParseChecker(name));
  const PyValue* const program = Find(row, "checker_program");
  if (program == nullptr) return absl::OkStatus();
  tests->checker.kind = Checker::Kind::kProgram;
  tests->checker.program.language = "python";
  if (program->kind == Kind::kStr) {
    tests->checker.program.text = program->text;
    return absl::OkStatus();
  }
  COHORT_RETURN_IF_ERROR(
      TakeText(*program, "language", &tests->checker.program.language));
  return TakeText(*program, "source", &tests->checker.program.text);
}

// {"args": [...], "expected": value} or "expected_repr": a Python literal.
absl::StatusOr<FunctionCase> CaseOf(const PyValue& item) {
  FunctionCase test;
  const PyValue* const args = FindKey(item, "args");
  if (args == nullptr || args->kind != Kind::kList) {
    return Missing("list 'args' in a case");
  }
  test.args = args->items;
  std::string args_repr;
  COHORT_RETURN_IF_ERROR(TakeText(item, "args_repr", &args_repr));
  if (!args_repr.empty()) {
    COHORT_ASSIGN_OR_RETURN(PyValue literal, ParsePyLiteral(args_repr));
    test.args = std::move(literal.items);
  }
  std::string repr;
  COHORT_RETURN_IF_ERROR(TakeText(item, "expected_repr", &repr));
  if (!repr.empty()) {
    COHORT_ASSIGN_OR_RETURN(test.expected, ParsePyLiteral(repr));
    return test;
  }
  const PyValue* const expected = FindKey(item, "expected");
  if (expected == nullptr) return Missing("'expected' in a case");
  test.expected = *expected;
  return test;
}

absl::Status TakeCases(const PyValue& row, TestSet* tests) {
  const PyValue* const cases = Find(row, "cases");
  if (cases == nullptr || cases->kind != Kind::kList || cases->items.empty()) {
    return Missing("list 'cases'");
  }
  COHORT_RETURN_IF_ERROR(TakeText(row, "entry_point", &tests->entry_point));
  if (tests->entry_point.empty()) return Missing("entry_point");
  for (const PyValue& item : cases->items) {
    COHORT_ASSIGN_OR_RETURN(tests->functions.emplace_back(), CaseOf(item));
  }
  return absl::OkStatus();
}

// The text under the first of `keys` that is there, also one level below.
absl::StatusOr<std::string> TextUnder(const PyValue& item,
                                      std::initializer_list<const char*> keys) {
  for (const char* key : keys) {
    const PyValue* const found = Find(item, key);
    if (found == nullptr) continue;
    if (found->kind == Kind::kStr) return found->text;
    for (const char* inner : keys) {
      const PyValue* const below = Find(*found, inner);
      if (below != nullptr && below->kind == Kind::kStr) return below->text;
    }
    return WrongType(key, "a text");
  }
  return Missing(absl::StrCat("'", *keys.begin(), "' in a test"));
}

absl::Status TakeStdio(const PyValue& list, TestSet* tests) {
  for (const PyValue& item : list.items) {
    StdioCase& test = tests->stdio.emplace_back();
    COHORT_ASSIGN_OR_RETURN(test.input, TextUnder(item, {"stdin", "input"}));
    COHORT_ASSIGN_OR_RETURN(
        test.expected,
        TextUnder(item, {"stdout", "expected_stdout", "output"}));
  }
  return absl::OkStatus();
}

absl::Status TakeAssertions(const PyValue& list, TestSet* tests) {
  for (const PyValue& item : list.items) {
    if (item.kind != Kind::kStr) return WrongType("tests", "a list of texts");
    tests->assertions.push_back(item.text);
  }
  return absl::OkStatus();
}

// {"entry_point", "test"}: code, or {"entry_point", "cases"}.
absl::Status TakeCode(const PyValue& row, TestSet* tests) {
  if (Find(row, "cases") != nullptr) return TakeCases(row, tests);
  COHORT_RETURN_IF_ERROR(TakeText(row, "entry_point", &tests->entry_point));
  if (tests->entry_point.empty()) return Missing("entry_point");
  std::string code;
  COHORT_RETURN_IF_ERROR(TakeText(row, "test", &code));
  if (code.empty()) return Missing("test");
  tests->assertions = {code};
  return absl::OkStatus();
}

// Data sets from tables keep a list as JSON in a text; code is no such text.
std::optional<PyValue> WrittenList(const PyValue* list, const PyValue* test) {
  const PyValue* const text = list != nullptr ? list : test;
  if (text == nullptr || text->kind != Kind::kStr) return std::nullopt;
  absl::StatusOr<PyValue> value = ParsePyJson(text->text);
  if (!value.ok() || value->kind != Kind::kList) return std::nullopt;
  return *std::move(value);
}

absl::Status TakeTests(const PyValue& row, CodeTask* task) {
  TestSet& tests = task->tests;
  const PyValue* list = Find(row, "tests");
  if (list == nullptr) list = Find(row, "test_cases");
  if (list == nullptr) list = Find(row, "test_list");
  const PyValue* const test = Find(row, "test");
  if (list == nullptr && test != nullptr && test->kind == Kind::kList) {
    list = test;
  }
  const std::optional<PyValue> written = WrittenList(list, test);
  if (written.has_value()) list = &*written;
  if (list != nullptr && list->kind == Kind::kDict) {
    return TakeCode(*list, &tests);
  }
  if (list != nullptr) {
    if (list->kind != Kind::kList || list->items.empty()) {
      return WrongType("tests", "a list with something in it");
    }
    if (list->items[0].kind != Kind::kStr) return TakeStdio(*list, &tests);
    COHORT_RETURN_IF_ERROR(TakeAssertions(*list, &tests));
    std::string setup;
    COHORT_RETURN_IF_ERROR(TakeText(row, "test_setup_code", &setup));
    // Where only all of them count, one run of them all is enough.
    if (!tests.partial) {
      tests.assertions = {absl::StrJoin(tests.assertions, "\n")};
    }
    // It is written in terms of the submission's names, as the tests are.
    for (std::string& assertion : tests.assertions) {
      assertion = absl::StrCat(setup, "\n", assertion);
    }
    return absl::OkStatus();
  }
  if (test == nullptr) return Missing("tests");
  return TakeCode(row, &tests);
}

absl::Status TakeExecFields(const PyValue& row, ExecRow* out) {
  COHORT_RETURN_IF_ERROR(TakeText(row, "file", &out->file));
  if (out->file.empty()) return Missing("file");
  COHORT_RETURN_IF_ERROR(TakeText(row, "language", &out->source.language));
  if (out->source.language.empty()) return Missing("language");
  COHORT_RETURN_IF_ERROR(TakeText(row, "compile_flags", &out->source.flags));
  COHORT_RETURN_IF_ERROR(TakeText(row, "pair", &out->pair));
  int64_t runs = 1;
  COHORT_RETURN_IF_ERROR(TakeInteger(row, "runs", &runs));
  if (runs < 1 || runs > 1000) return WrongType("runs", "1 to 1000");
  out->runs = static_cast<int>(runs);
  COHORT_RETURN_IF_ERROR(TakeLimits(row, &out->tests));
  COHORT_RETURN_IF_ERROR(TakeChecker(row, &out->tests));
  std::string mode = "stdio";
  COHORT_RETURN_IF_ERROR(TakeText(row, "mode", &mode));
  if (mode == "function") return TakeCases(row, &out->tests);
  if (mode != "stdio") {
    return absl::InvalidArgumentError(absl::StrCat("no mode '", mode, "'"));
  }
  if (Find(row, "expected_stdout") == nullptr &&
      Find(row, "expected_stdout_gen") == nullptr) {
    return Missing("expected_stdout");
  }
  StdioCase& test = out->tests.stdio.emplace_back();
  COHORT_RETURN_IF_ERROR(TakeLongText(row, "stdin", &test.input));
  return TakeLongText(row, "expected_stdout", &test.expected);
}

}  // namespace

absl::StatusOr<ExecRow> ParseExecRow(std::string_view line,
                                     const std::string& place) {
  COHORT_ASSIGN_OR_RETURN(const PyValue row, ParsePyJson(line));
  ExecRow out;
  if (row.kind != Kind::kDict) {
    out.file = place;
    out.flaw = "not an object";
    return out;
  }
  out.flaw = std::string(TakeExecFields(row, &out).message());
  if (out.file.empty()) out.file = place;
  return out;
}

absl::StatusOr<Limits> LimitsOfRow(std::string_view json) {
  COHORT_ASSIGN_OR_RETURN(const PyValue row, ParsePyJson(json));
  TestSet tests;
  COHORT_RETURN_IF_ERROR(TakeLimits(row, &tests));
  return tests.limits;
}

absl::StatusOr<CodeTask> TaskOfRow(std::string_view row_json) {
  COHORT_ASSIGN_OR_RETURN(const PyValue row, ParsePyJson(row_json));
  if (row.kind != Kind::kDict) return WrongType("row", "an object");
  CodeTask task;
  task.tests.limits.cpu = kSuiteCpu;
  COHORT_RETURN_IF_ERROR(TakeText(row, "language", &task.language));
  COHORT_RETURN_IF_ERROR(TakeLimits(row, &task.tests));
  COHORT_RETURN_IF_ERROR(TakeChecker(row, &task.tests));
  if (const PyValue* const partial = Find(row, "partial_credit")) {
    if (partial->kind != Kind::kTrue && partial->kind != Kind::kFalse) {
      return WrongType("partial_credit", "true or false");
    }
    task.tests.partial = partial->kind == Kind::kTrue;
  }
  COHORT_RETURN_IF_ERROR(TakeTests(row, &task));
  // HumanEval's prompt is the beginning of the program; what it defines beside
  // the entry point, the tests may use.
  const PyValue* const prompt = Find(row, "prompt");
  if (!task.tests.entry_point.empty() && prompt != nullptr &&
      prompt->kind == Kind::kStr &&
      prompt->text.find("def " + task.tests.entry_point) != std::string::npos) {
    task.prefix = prompt->text;
    task.tests.setup = prompt->text;
  }
  return task;
}

}  // namespace cohort
