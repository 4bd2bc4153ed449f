#include "rewards/code_rows.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "rewards/code_grader.h"
#include "rewards/language_table.h"
#include "tests/testing/status_matchers.h"

namespace cohort {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::string FlawOf(const std::string& line) {
  const absl::StatusOr<ExecRow> row = ParseExecRow(line, "m.jsonl:1");
  EXPECT_THAT(row, IsOk());
  return row.ok() ? row->flaw : "";
}

TEST(CodeRowsTest, AListOfTestsMayStandInAText) {
  for (
      const char* row :
      {R"j({"test": "[{\"input\": {\"stdin\": \"1\"}, \"output\": {\"stdout\": \"2\"}}]"})j",
       R"j({"tests": "[{\"input\": \"1\", \"output\": \"2\"}]"})j"}) {
    const absl::StatusOr<CodeTask> task = TaskOfRow(row);
    ASSERT_THAT(task, IsOk());
    ASSERT_THAT(task->tests.stdio, SizeIs(1));
    EXPECT_EQ(task->tests.stdio[0].input, "1");
    EXPECT_EQ(task->tests.stdio[0].expected, "2");
  }
  EXPECT_THAT(TaskOfRow(R"({"test": "[]"})").status().message(),
              HasSubstr("something in it"));
  EXPECT_THAT(TaskOfRow(R"({"tests": "no list"})").status().message(),
              HasSubstr("list"));
}

TEST(CodeRowsTest, ARowSaysWhatItLacks) {
  EXPECT_THAT(FlawOf("[]"), HasSubstr("object"));
  EXPECT_THAT(FlawOf("{}"), HasSubstr("file"));
  EXPECT_THAT(FlawOf(R"({"file": "a.py"})"), HasSubstr("language"));
  EXPECT_THAT(FlawOf(R"({"file": "a.py", "language": "python"})"),
              HasSubstr("expected_stdout"));
  EXPECT_THAT(
      FlawOf(R"({"file": "a.py", "language": "python", "mode": "function"})"),
      HasSubstr("cases"));
  EXPECT_THAT(FlawOf(R"({"file": "a.py", "language": "python",
      "expected_stdout": "7", "checker": "guess"})"),
              HasSubstr("guess"));
  EXPECT_THAT(FlawOf(R"({"file": "a.py", "language": "python",
      "expected_stdout": "7"})"),
              IsEmpty());
  EXPECT_FALSE(ParseExecRow("{", "m.jsonl:1").ok());
}

TEST(CodeRowsTest, LimitsThatCannotBeAreNamed) {
  for (const char* limits :
       {R"({"cpu_ms": 0})", R"({"memory_mb": 0})", R"({"memory_mb": 99999999})",
        R"({"output_bytes": -1})", R"({"processes": 1000000})",
        R"({"cpu_ms": 1.5})", R"({"wall_ms": "5"})"}) {
    EXPECT_THAT(FlawOf(std::string(R"({"file": "a.py", "language": "python",
        "expected_stdout": "7", "limits": )") +
                       limits + "}"),
                ::testing::Not(IsEmpty()))
        << limits;
  }
}

TEST(CodeRowsTest, TaskFilesLoadAsTheyAre) {
  const absl::StatusOr<CodeTask> human_eval = TaskOfRow(
      R"({"task_id": "HumanEval/0", "prompt": "def f(x):\n", "entry_point": "f",
          "canonical_solution": "    return x", "test": "def check(c): pass"})");
  ASSERT_THAT(human_eval, IsOk());
  EXPECT_EQ(human_eval->prefix, "def f(x):\n");
  EXPECT_THAT(human_eval->tests.assertions, SizeIs(1));
  const absl::StatusOr<CodeTask> mbpp = TaskOfRow(
      R"({"text": "t", "code": "c", "test_setup_code": "",
          "test_list": ["assert f(1) == 1", "assert f(2) == 2"]})");
  ASSERT_THAT(mbpp, IsOk());
  EXPECT_THAT(mbpp->tests.assertions, SizeIs(1));
  EXPECT_EQ(mbpp->tests.limits.cpu, kSuiteCpu);
  const absl::StatusOr<CodeTask> contests = TaskOfRow(
      R"({"test": [{"input": {"stdin": "1"}, "output": {"stdout": "2"}}]})");
  ASSERT_THAT(contests, IsOk());
  EXPECT_EQ(contests->tests.stdio[0].expected, "2");
  const absl::StatusOr<CodeTask> nemo =
      TaskOfRow(R"({"test_cases": [{"input": "1", "output": "2"}]})");
  ASSERT_THAT(nemo, IsOk());
  EXPECT_EQ(nemo->tests.stdio[0].input, "1");
}

TEST(CodeRowsTest, ATestWithoutExpectedOutputIsRefused) {
  for (const char* row :
       {R"({"tests": [{"stdin": "1"}]})", R"({"tests": []})", R"({})",
        R"({"tests": {"entry_point": "f"}})", R"({"tests": {"test": "x"}})",
        R"({"tests": [{"stdin": "1", "stdout": 5}]})"}) {
    EXPECT_FALSE(TaskOfRow(row).ok()) << row;
  }
}

TEST(CodeRowsTest, TheLastClosedBlockBehindTheThoughtIsTheProgram) {
  const auto block = LastCodeBlock(
      "<think>```python\nprint(0)\n```</think>\n```py\nprint(1)\n```\nor\n"
      "```python\nprint(2)\n```\n```\nopen");
  ASSERT_TRUE(block.has_value());
  EXPECT_EQ(block->code, "print(2)\n");
  EXPECT_EQ(block->tag, "python");
  EXPECT_FALSE(LastCodeBlock("print(1)").has_value());
  EXPECT_FALSE(LastCodeBlock("```python\nprint(1)").has_value());
}

TEST(LanguageTableTest, TheBuiltInTableIsSoundAndErrorsNameTheLine) {
  EXPECT_NE(BuiltInLanguages().Find("c++"), nullptr);
  EXPECT_EQ(BuiltInLanguages().Find("cobol"), nullptr);
  for (const char* yaml :
       {"languages:\n  - name: x\n", "languages:\n  - {source: a}\n",
        "languages:\n  - {name: x, source: ../a, run: [b]}\n",
        "languages:\n  - {name: x, source: a, run: [b], colour: red}\n",
        "languages:\n  - {name: x, source: a, compile: b}\n",
        "languages:\n  - {name: x, source: a, run: [b], extra_memory: 1}\n",
        "fences: []\n"}) {
    EXPECT_THAT(ParseLanguageTable(yaml, "t.yaml").status().message(),
                HasSubstr("t.yaml:"))
        << yaml;
  }
}

}  // namespace
}  // namespace cohort
