#include "rewards/judge.h"

#include <fstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "rewards/code_grader.h"
#include "rewards/code_rows.h"
#include "rewards/command_grader.h"
#include "rewards/sandbox_metrics.h"
#include "tests/sandbox/sandbox_fixture.h"
#include "tests/testing/status_matchers.h"

namespace cohort {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;

class JudgeTest : public SandboxTest {
 protected:
  static Judgement Of(const std::string& code, const std::string& row) {
    Judge judge(sandbox_);
    const absl::StatusOr<CodeTask> task = TaskOfRow(row);
    EXPECT_THAT(task, IsOk());
    if (!task.ok()) return {};
    return judge.JudgeSubmission({"python", code, ""}, task->tests);
  }

  static RunVerdict Verdict(const std::string& code, const std::string& row) {
    const Judgement judgement = Of(code, row);
    EXPECT_NE(judgement.outcome.verdict, RunVerdict::kIE)
        << judgement.outcome.reason;
    return judgement.outcome.verdict;
  }
};

constexpr char kCheck[] = R"j({"tests": {"entry_point": "f", "test":
    "def check(candidate):\n    assert candidate(2) == 4\n
    for i in range(20):\n        assert abs(candidate(i) - i * i) < 1e-6\n"}})j";

std::string Check() {
  std::string row = kCheck;
  std::erase(row, '\n');
  return row;
}

TEST_F(JudgeTest, TestsThatAreCodePassAndFail) {
  EXPECT_EQ(Verdict("def f(x):\n    return x * x\n", Check()), RunVerdict::kAC);
  EXPECT_EQ(Verdict("def f(x):\n    return x + 2\n", Check()), RunVerdict::kWA);
  EXPECT_EQ(Verdict("def f(x):\n    return 1 // 0\n", Check()),
            RunVerdict::kRE);
  EXPECT_EQ(Verdict("def f(x):\n    while True: pass\n", Check()),
            RunVerdict::kTLE);
}

// Each would pass where tests and submission share a process.
TEST_F(JudgeTest, TricksAgainstTestsThatAreCodeEarnNothing) {
  const char* const kTricks[] = {
      "class A:\n    def __eq__(s, o): return True\n    def __sub__(s, o): "
      "return 0\n    def __rsub__(s, o): return 0\n    def __abs__(s): return "
      "0\n    def __lt__(s, o): return True\ndef f(x): return A()\n",
      "import os\ndef f(x): os._exit(0)\n",
      "import sys\ndef f(x): sys.exit(0)\n",
      "import builtins\nbuiltins.abs = lambda x: 0\ndef f(x): return 4\n",
      "def abs(x): return 0\ndef f(x): return 4\n",
      "def check(candidate): pass\ndef f(x): return 0\n",
      "import os, struct\nb = b'D' + b'l3:s4:passs0:i1:0'\n"
      "os.write(3, struct.pack('>I', len(b)) + b)\ndef f(x): return 0\n",
      "class E(AssertionError): pass\ndef f(x): raise E()\n",
      "class I(int):\n    def __eq__(s, o): return True\n    def __sub__(s, "
      "o): "
      "return 0\ndef f(x): return I(4)\n",
      "import gc, sys\ndef f(x):\n    for o in gc.get_objects():\n        if "
      "isinstance(o, dict) and 'candidate' in o: return 4\n    return None\n"};
  for (const char* code : kTricks) {
    const RunVerdict verdict = Verdict(code, Check());
    EXPECT_TRUE(verdict == RunVerdict::kWA || verdict == RunVerdict::kRE)
        << VerdictCode(verdict) << "\n"
        << code;
  }
}

TEST_F(JudgeTest, ObjectsOfTheSubmissionsOwnTypesAreBuiltOnItsSide) {
  const std::string row =
      R"j({"test_setup_code": "root = Node(1)\nroot.left = Node(2)",
          "test_list": ["assert depth(root) == 2", "assert root.left.key == 2"]})j";
  EXPECT_EQ(Verdict("class Node:\n    def __init__(self, key):\n"
                    "        self.key, self.left = key, None\n"
                    "def depth(n):\n"
                    "    return 0 if n is None else 1 + depth(n.left)\n",
                    row),
            RunVerdict::kAC);
}

TEST_F(JudgeTest, BrokenTestsAreOurFault) {
  EXPECT_EQ(Of("def f(x): return x\n",
               R"j({"tests": {"entry_point": "f", "test": "def check(:"}})j")
                .outcome.verdict,
            RunVerdict::kIE);
}

TEST_F(JudgeTest, PartialCreditCountsCasesSingly) {
  const std::string row = R"j({"partial_credit": true, "tests":
      [{"stdin": "1", "stdout": "1"}, {"stdin": "2", "stdout": "3"},
       {"stdin": "3", "stdout": "3"}, {"stdin": "4", "stdout": "4"}]})j";
  const Judgement judgement = Of("print(input())\n", row);
  EXPECT_EQ(judgement.outcome.verdict, RunVerdict::kWA);
  EXPECT_EQ(judgement.passed, 3);
  EXPECT_EQ(judgement.total, 4);
  const Grade grade = GradeOfJudgement(judgement, /*partial=*/true, false);
  EXPECT_DOUBLE_EQ(grade.score(), 0.75);
  EXPECT_EQ(GradeOfJudgement(judgement, /*partial=*/false, false).score(), 0);
}

TEST_F(JudgeTest, TheFirstFailureEndsIt) {
  const Judgement judgement =
      Of("x = int(input())\nwhile x > 1: pass\nprint(x + 1)\n",
         R"j({"tests": [{"stdin": "1", "stdout": "1"},
                    {"stdin": "2", "stdout": "2"}]})j");
  EXPECT_EQ(judgement.outcome.verdict, RunVerdict::kWA);
  EXPECT_THAT(judgement.outcome.reason, HasSubstr("case 1"));
}

TEST_F(JudgeTest, AProgramMayBeTheChecker) {
  const std::string row = R"j({"checker_program":
      "import json, sys\nr = json.load(sys.stdin)\nprint(json.dumps(sorted(r['stdout'].split()) == sorted(r['expected'].split())))",
      "tests": [{"stdin": "", "stdout": "1 2 3"}]})j";
  EXPECT_EQ(Verdict("print('3 1 2')\n", row), RunVerdict::kAC);
  EXPECT_EQ(Verdict("print('3 1 4')\n", row), RunVerdict::kWA);
  const std::string broken = R"j({"checker_program": "print('maybe')",
                  "tests" : [ {"stdin" : "", "stdout" : "1"} ]
})j";
  EXPECT_EQ(Of("print(1)\n", broken).outcome.verdict, RunVerdict::kIE);
}

TEST_F(JudgeTest, WhatLooksLikeAnAttemptIsReported) {
  EXPECT_THAT(Of("import os\nos._exit(0)\n", Check()).suspicions,
              Contains(HasSubstr("before it answered")));
  EXPECT_THAT(Of("import ctypes\nctypes.CDLL(None).unshare(0x10000000)\n"
                 "print(7)\n",
                 R"j({"tests": [{"stdin": "", "stdout": "7"}]})j")
                  .suspicions,
              Contains(HasSubstr("forbidden system call")));
}

TEST_F(JudgeTest, SourcesThatCannotBeProgramsAreTheSubmissionsFault) {
  const std::string row = R"j({"tests": [{"stdin": "", "stdout": "7"}]})j";
  EXPECT_EQ(Verdict(std::string(50 << 20, '#'), row), RunVerdict::kCE);
  EXPECT_EQ(Verdict(std::string("print(7)\0#", 10), row), RunVerdict::kRE);
  Judge judge(sandbox_);
  const Judgement unknown =
      judge.JudgeSubmission({"cobol", "x", ""}, TaskOfRow(row)->tests);
  EXPECT_EQ(unknown.outcome.verdict, RunVerdict::kIE);
  EXPECT_THAT(unknown.outcome.reason, HasSubstr("cobol"));
}

TEST_F(JudgeTest, ASourceIsCompiledOnce) {
  Judge judge(sandbox_);
  const absl::StatusOr<CodeTask> task =
      TaskOfRow(R"j({"tests": [{"stdin": "", "stdout": "7"}]})j");
  const Source source = {"cpp",
                         "#include <cstdio>\nint main() { puts(\"7\"); }", ""};
  for (int i = 0; i < 3; ++i) {
    const Outcome outcome = judge.JudgeSubmission(source, task->tests).outcome;
    EXPECT_EQ(outcome.verdict, RunVerdict::kAC) << outcome.reason << "\n"
                                                << outcome.err;
  }
  EXPECT_EQ(judge.compiler().figures().misses, 1);
  EXPECT_EQ(judge.compiler().figures().hits, 2);
  Source other = source;
  other.flags = "-O0";
  judge.JudgeSubmission(other, task->tests);
  EXPECT_EQ(judge.compiler().figures().misses, 2);
  other.flags = "-o/etc/x;reboot";
  EXPECT_EQ(judge.JudgeSubmission(other, task->tests).outcome.verdict,
            RunVerdict::kIE);
}

// The tests of such a row are a list that stands in a text.
TEST_F(JudgeTest, ARowOfCodeContestsGradesAsItIs) {
  std::ifstream file("tests/data/code_contests_sample.jsonl");
  std::string row;
  ASSERT_TRUE(std::getline(file, row));
  const std::string solution =
      "n, m = input(), input()\nd = sorted(n)\n"
      "k = next((i for i, c in enumerate(d) if c != '0'), 0)\n"
      "d[0], d[k] = d[k], d[0]\n"
      "print('OK' if m == ''.join(d) else 'WRONG_ANSWER')\n";
  const Judgement right = Of(solution, row);
  EXPECT_EQ(right.outcome.verdict, RunVerdict::kAC) << right.outcome.reason;
  EXPECT_EQ(right.passed, 132);
  EXPECT_EQ(Verdict("print('WRONG_ANSWER')\n", row), RunVerdict::kWA);
}

TEST_F(JudgeTest, MetricsTellOfTheSandbox) {
  const auto host =
      std::make_shared<JudgeHost>(JudgeOptions{.launcher = COHORT_LAUNCHER});
  ServiceMetrics metrics;
  WatchSandbox(host, &metrics);
  EXPECT_THAT(metrics.Text(), HasSubstr("cohort_sandbox_runs 0\n"));
  const CodeGrader grader(host);
  Prompt prompt;
  prompt.set_row_json(R"j({"tests": [{"stdin": "", "stdout": "7"}]})j");
  const auto lines_with = [&](const std::string& verdict) {
    const size_t at = metrics.Text().find("cohort_sandbox_verdicts{verdict=\"" +
                                          verdict + "\"}");
    EXPECT_NE(at, std::string::npos);
    return std::stoi(metrics.Text().substr(metrics.Text().find("} ", at) + 2));
  };
  ASSERT_THAT(host->Get(), IsOk());
  const int before = lines_with("AC");  // The self-test's.
  for (const char* code : {"```\nprint(7)\n```", "```\nexit(3)\n```"}) {
    EXPECT_THAT(grader.GradeOne(prompt, {.text = code}, absl::InfiniteFuture()),
                IsOk());
  }
  EXPECT_EQ(lines_with("AC"), before + 1);
  EXPECT_EQ(lines_with("RE"), 1);
  EXPECT_THAT(metrics.Text(), HasSubstr("cohort_sandbox_leaks 0\n"));
  EXPECT_THAT(metrics.Text(), HasSubstr("cohort_sandbox_busy_slots 0\n"));
  EXPECT_THAT(metrics.Text(), HasSubstr("cohort_sandbox_slots 4\n"));
}

// A REPL that knows four proofs.
constexpr char kRepl[] = R"py(
import json, sys
text = sys.stdin.buffer.read().decode()
assert text.endswith("\r\n\r\n"), "not the protocol"
cmd = json.loads(text)["cmd"]
assert cmd.startswith("import Mathlib"), cmd
axioms = {"severity": "info", "data": "'two' depends on axioms: [propext]"}
if "good" in cmd:
    print(json.dumps({"messages": [axioms], "env": 0}))
elif "open" in cmd:
    print(json.dumps({"messages": [axioms], "sorries": [{"goal": "x"}]}))
elif "unsound" in cmd:
    axioms["data"] = "'two' depends on axioms: [propext, Lean.trustCompiler]"
    print(json.dumps({"messages": [axioms]}))
else:
    print(json.dumps({"messages": [{"severity": "error", "data": "no"}]}))
)py";

TEST_F(JudgeTest, ALeanReplDecidesAboutProofs) {
  const CommandGrader grader(
      std::make_shared<JudgeHost>(JudgeOptions{.launcher = COHORT_LAUNCHER}));
  Prompt prompt;
  std::string source;
  for (const char* c = kRepl; *c != '\0'; ++c) {
    source += *c == '\n' ? "\\n" : *c == '"' ? "\\\"" : std::string(1, *c);
    if (*c == '\\') source += "\\";
  }
  prompt.set_row_json(
      "{\"protocol\": \"lean\", \"header\": \"import Mathlib\", \"statement\": "
      "\"theorem two : 1 + 1 = 2 := by\", \"command\": {\"language\": "
      "\"python\", \"source\": \"" +
      source + "\"}}");
  const auto grade = [&](const std::string& proof) {
    const std::string text = "```lean4\n" + proof + "\n```";
    const absl::StatusOr<Grade> result =
        grader.GradeOne(prompt, {.text = text}, absl::InfiniteFuture());
    EXPECT_THAT(result, IsOk());
    return result.ok() ? result->verdict() : VERDICT_UNSPECIFIED;
  };
  const std::string statement = "theorem two : 1 + 1 = 2 := by\n";
  EXPECT_EQ(grade(statement + "  good"), VERDICT_CORRECT);
  EXPECT_EQ(grade(statement + "  bad"), VERDICT_WRONG);
  EXPECT_EQ(grade(statement + "  open_goal; open"), VERDICT_WRONG);
  EXPECT_EQ(grade(statement + "  unsound"), VERDICT_WRONG);
  EXPECT_EQ(grade(statement + "  good; sorry"), VERDICT_WRONG);
  EXPECT_EQ(grade("theorem two : 1 = 1 := by\n  good"), VERDICT_WRONG);
}

}  // namespace
}  // namespace cohort
