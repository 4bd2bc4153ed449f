// cohort-rewards as a user runs it: a process, its output and its exit code.
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "grpcpp/grpcpp.h"
#include "nlohmann/json.hpp"
#include "proto/child_process.h"
#include "proto/rewards.grpc.pb.h"
#include "proto/rpc.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temp_dir.h"

namespace cohort {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

struct Result {
  int exit_code;
  std::string out;
  std::string err;
};

class VerbsTest : public testing::Test {
 protected:
  // Runs a shell command, in which $BIN is the program.
  Result Shell(const std::string& command) {
    const int status =
        system(absl::StrCat("BIN=", COHORT_REWARDS_BINARY, "; ", command, " >",
                            dir_ / "out", " 2>", dir_ / "err")
                   .c_str());
    return {.exit_code = WEXITSTATUS(status),
            .out = TempDir::Read(dir_ / "out"),
            .err = TempDir::Read(dir_ / "err")};
  }

  ChildProcess StartServer() {
    auto server = ChildProcess::Start(
        {COHORT_REWARDS_BINARY, "reward-server", "--workers", "2"},
        dir_ / "server.log", "listening on ");
    COHORT_EXPECT_OK(server);
    return *std::move(server);
  }

  TempDir dir_;
};

std::vector<nlohmann::json> Lines(const std::string& text) {
  std::vector<nlohmann::json> rows;
  for (const absl::string_view line :
       absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    rows.push_back(nlohmann::json::parse(line));
  }
  return rows;
}

void ExpectOneLine(const std::string& text, const std::string& part) {
  EXPECT_THAT(text, HasSubstr(part));
  EXPECT_EQ(text.find('\n'), text.size() - 1) << text;
}

TEST_F(VerbsTest, GradeKeepsTheOrderOfTheRows) {
  std::string rows;
  for (int i = 0; i < 500; ++i) {
    absl::StrAppend(&rows, R"({"id": ")", i,
                    R"(", "verifier": "chain", "answer": ")", i % 10,
                    R"(", "completion": "[]{)", i % 7, R"(}"})", "\n");
  }
  const std::string input = dir_.Write("in.jsonl", rows);
  const Result result =
      Shell(absl::StrCat("$BIN grade --workers=3 --input ", input, " --output ",
                         dir_ / "out.jsonl"));
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const auto grades = Lines(TempDir::Read(dir_ / "out.jsonl"));
  ASSERT_EQ(grades.size(), 500);
  for (int i = 0; i < 500; ++i) {
    EXPECT_EQ(grades[i]["id"], absl::StrCat(i));
    EXPECT_EQ(grades[i]["verdict"], i % 10 == i % 7 ? "correct" : "wrong");
    EXPECT_EQ(grades[i]["score"], i % 10 == i % 7 ? 1 : 0);
    EXPECT_EQ(grades[i]["extracted"], absl::StrCat(i % 7));
  }
}

struct BadRow {
  std::string row;
  std::string reason;
};

class BadRowsTest : public VerbsTest {
 protected:
  void ExpectReasons(const std::vector<BadRow>& bad) {
    std::string rows;
    for (const BadRow& row : bad) {
      std::string line = row.row;
      std::replace(line.begin(), line.end(), '\n', ' ');
      absl::StrAppend(&rows, line, "\n");
    }
    const std::string input = dir_.Write("in.jsonl", rows);
    const Result result =
        Shell(absl::StrCat("$BIN grade --input ", input, " --output -"));
    ASSERT_EQ(result.exit_code, 0) << result.err;
    const auto grades = Lines(result.out);
    ASSERT_EQ(grades.size(), bad.size());
    for (size_t i = 0; i < bad.size(); ++i) {
      EXPECT_EQ(grades[i]["verdict"], "grader_error");
      EXPECT_THAT(grades[i]["reason"].get<std::string>(),
                  HasSubstr(bad[i].reason));
    }
  }
};

TEST_F(BadRowsTest, ABadRowGetsItsOwnVerdictAndReason) {
  ExpectReasons({
      {R"([1])", "not an object"},
      {R"({"id": "a"})", "no completion"},
      {R"({"id": "a", "completion": "x"})", "prompt a: no verifier ''"},
      {R"({"completion": "x", "verifier": "poetry"})", "in.jsonl:4: no veri"},
      {R"({"completion": 1, "verifier": []})", "'verifier' is not a text"},
      {R"({"completion": {}, "verifier": "exact"})", "'completion' is not"},
      {R"({"completion": "x", "verifier": "exact"})", "no answer"},
      {R"({"completion": "x", "verifier": "countdown", "numbers": [1]})",
       "no target"},
      {R"({"completion": "x", "verifier": "countdown", "numbers": [1.5]})",
       "'numbers' is not a whole number"},
      {R"({"completion": "x", "verifier": "countdown", "numbers": 3})",
       "'numbers' is not a list"},
      {R"({"completion": "x", "verifier": "countdown", "numbers": [2],
         "target": 18446744073709551615})",
       "'target' is not"},
      {R"({"completion": "x", "verifier": "math", "answer": "x+"})",
       "'x+' is not understood"},
      {R"({"completion": "x", "verifier": "math", "answer": "1",
         "policy": "mine"})",
       "no maths policy 'mine'"},
      {R"({"completion": "x", "verifier": "format"})", "no format ''"},
      {R"({"completion": "x", "verifier": "format", "finished": 1})",
       "'finished' is not true or false"},
  });
}

TEST_F(BadRowsTest, ABadRowOfAGradingTableGetsItsOwnReason) {
  ExpectReasons({
      {R"({"gold": "1", "prediction": "1", "form": "sonnet"})",
       "no form 'sonnet'"},
      {R"({"gold": "1", "form": "completion"})", "no prediction"},
      {R"({"gold": "1", "prediction": "1", "form": "completion",
         "policy": "mine"})",
       "no maths policy 'mine'"},
      {R"({"gold": "1", "prediction": "1", "form": "completion",
         "opts": {"colour": 1}})",
       "no option 'colour'"},
      {R"({"gold": "1", "prediction": "1", "form": "completion",
         "opts": {"float_rounding": "two"}})",
       "no option 'float_rounding' with such a value"},
      {R"({"gold": "", "prediction": "1", "form": "completion"})", "no answer"},
      {R"({"gold": "5/0", "prediction": "1", "form": "completion"})",
       "'5/0' has no value"},
      {R"({"gold": "1", "prediction_parts": [["x", 99999999999]],
         "form": "completion"})",
       "longer than"},
      {R"({"gold": "1", "prediction_b64": "?", "form": "completion"})",
       "'prediction_b64' is not base 64"},
  });
}

TEST_F(VerbsTest, RowsOfGradingTablesAreTaken) {
  const std::string input = dir_.Write(
      "in.jsonl",
      R"({"id": 1, "gold": "1/2", "prediction": "0.5", "form": "answer_pair"}
{"id": 2, "gold": "so \\boxed{3}", "prediction": "3", "form": "gold_text"}
{"id": 3, "gold": "42", "prediction_parts": [["4", 1], ["2", 1]], "form": "completion"}
{"id": 4, "gold": "42", "prediction_b64": "/zQy", "form": "completion"}
{"id": 5, "verifier": "math", "answer": "1 m", "completion": "\\boxed{100 cm}", "policy": "unit-conversion"}
{"id": 6, "verifier": "math", "answer": "1/3", "completion": "\\boxed{0.33}", "opts": {"float_rounding": 2}}
)");
  const Result result =
      Shell(absl::StrCat("$BIN grade --input - --output - <", input));
  ASSERT_EQ(result.exit_code, 0) << result.err;
  for (const auto& grade : Lines(result.out)) {
    EXPECT_EQ(grade["verdict"], "correct") << grade;
  }
}

TEST_F(VerbsTest, ALineThatIsNotJsonEndsGradeAndIsNamed) {
  const std::string input = dir_.Write("in.jsonl", "\n{\"id\": \"a\"}\n{bad\n");
  const Result result = Shell(absl::StrCat("$BIN grade --input ", input,
                                           " --output ", dir_ / "none.jsonl"));
  EXPECT_EQ(result.exit_code, 1);
  ExpectOneLine(result.err, absl::StrCat(input, ":3: not JSON"));
  EXPECT_THAT(TempDir::Read(dir_ / "none.jsonl"), IsEmpty());
}

TEST_F(VerbsTest, AMissingFileEndsGradeAndIsNamed) {
  const Result result = Shell("$BIN grade --input /no/such --output -");
  EXPECT_EQ(result.exit_code, 1);
  ExpectOneLine(result.err, "/no/such");
}

TEST_F(VerbsTest, AnUnwritableOutputEndsGradeAndIsNamed) {
  const std::string input = dir_.Write("in.jsonl", "");
  const Result result = Shell(
      absl::StrCat("$BIN grade --input ", input, " --output /no/such/out"));
  EXPECT_EQ(result.exit_code, 1);
  ExpectOneLine(result.err, "/no/such/out");
}

TEST_F(VerbsTest, WrongCallsExitWithTwo) {
  for (const char* call :
       {"", "grad", "grade", "grade --input x", "grade --inptu x",
        "grade --input=x --output=y --workers=0", "reward-server --workers=-1",
        "reward-server --listen 0.0.0.0:0", "reward-server --listen nowhere",
        "doctor now"}) {
    const Result result = Shell(absl::StrCat("$BIN ", call));
    EXPECT_EQ(result.exit_code, 2) << call;
    ExpectOneLine(result.err, "cohort");
    EXPECT_THAT(result.out, IsEmpty()) << call;
  }
}

TEST_F(VerbsTest, HelpExitsWithZero) {
  for (const char* verb : {"", "grade", "reward-server", "doctor"}) {
    const Result result = Shell(absl::StrCat("$BIN ", verb, " --help"));
    EXPECT_EQ(result.exit_code, 0) << verb;
    EXPECT_THAT(result.out, HasSubstr("usage: cohort ")) << verb;
    EXPECT_THAT(result.err, IsEmpty()) << verb;
  }
}

TEST_F(VerbsTest, DoctorListsWhatIsThere) {
  const Result result = Shell("$BIN doctor");
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_THAT(result.out,
              HasSubstr("ok verifiers chain, code, command, countdown"));
  EXPECT_THAT(result.out, HasSubstr("ok loopback "));
}

TEST_F(VerbsTest, TheServerGradesUntilItIsAskedToStop) {
  for (const int number : {SIGTERM, SIGINT}) {
    ChildProcess server = StartServer();
    const auto stub = Rewards::NewStub(MakeChannel(server.ready_line()));
    GradeRequest request;
    request.mutable_prompt()->set_verifier("chain");
    request.mutable_prompt()->set_answer("4");
    request.add_completions("[]{4}");
    GradeResponse response;
    grpc::ClientContext context;
    context.set_wait_for_ready(true);
    const grpc::Status status = stub->Grade(&context, request, &response);
    ASSERT_TRUE(status.ok()) << status.error_message();
    EXPECT_EQ(response.grades(0).verdict(), VERDICT_CORRECT);

    siginfo_t how = {};
    ASSERT_EQ(kill(server.pid(), number), 0);
    ASSERT_EQ(waitid(P_PID, server.pid(), &how, WEXITED | WNOWAIT), 0);
    EXPECT_EQ(how.si_code, CLD_EXITED) << number;
    EXPECT_EQ(how.si_status, 0) << number;
  }
}

TEST_F(VerbsTest, APortInUseIsOneLineThatNamesIt) {
  const ChildProcess server = StartServer();
  const Result result =
      Shell(absl::StrCat("$BIN reward-server --listen ", server.ready_line()));
  EXPECT_EQ(result.exit_code, 1);
  ExpectOneLine(result.err, server.ready_line());
  EXPECT_THAT(result.out, IsEmpty());
}

TEST_F(VerbsTest, AMissingConfigIsNamed) {
  const Result result = Shell("$BIN reward-server --config /no/such.yaml");
  EXPECT_EQ(result.exit_code, 1);
  ExpectOneLine(result.err, "/no/such.yaml");
}

TEST_F(VerbsTest, TheProgramLinksNoLibTorch) {
  const Result result = Shell("ldd $BIN");
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_THAT(result.out, HasSubstr("libgrpc++"));
  EXPECT_THAT(result.out, Not(HasSubstr("torch")));
  EXPECT_THAT(result.out, Not(HasSubstr("libc10")));
}

}  // namespace
}  // namespace cohort
