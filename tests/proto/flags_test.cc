#include "proto/flags.h"

#include <cstdint>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "tests/testing/status_matchers.h"

namespace cohort {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

struct DemoFlags {
  std::string config;
  std::string output;
  std::vector<std::string> set;
  std::vector<int> k = {1};
  int workers = 2;
  int64_t limit = -1;
  uint64_t seed = 0;
  double temperature = 1.0;
  bool resume = false;
};

FlagParser DemoParser(DemoFlags* flags) {
  FlagParser parser("demo", "Shows how.");
  parser.Positional("CONFIG", &flags->config, "what to run");
  parser.Required("output", &flags->output, "FILE", "where to write");
  parser.Flag("set", &flags->set, "KEY=VALUE", "overrides a key");
  parser.Flag("k", &flags->k, "K,...", "tries");
  parser.Flag("workers", &flags->workers, "N", "threads");
  parser.Flag("limit", &flags->limit, "N", "most rows");
  parser.Flag("seed", &flags->seed, "N", "seed");
  parser.Flag("temperature", &flags->temperature, "T", "temperature");
  parser.Switch("resume", &flags->resume, "goes on");
  return parser;
}

absl::Status ParseDemo(const std::vector<std::string>& args, DemoFlags* flags) {
  return DemoParser(flags).TryParse(args);
}

TEST(FlagParserTest, BothSpellingsOfAValueAreTaken) {
  DemoFlags flags;
  COHORT_ASSERT_OK(ParseDemo({"c.yaml", "--output", "o", "--workers=7",
                              "--limit", "-3", "--seed", "18446744073709551615",
                              "--temperature=0.5", "--resume", "--k", "1,8,64"},
                             &flags));
  EXPECT_EQ(flags.config, "c.yaml");
  EXPECT_EQ(flags.output, "o");
  EXPECT_EQ(flags.workers, 7);
  EXPECT_EQ(flags.limit, -3);
  EXPECT_EQ(flags.seed, UINT64_MAX);
  EXPECT_EQ(flags.temperature, 0.5);
  EXPECT_TRUE(flags.resume);
  EXPECT_THAT(flags.k, ElementsAre(1, 8, 64));
}

TEST(FlagParserTest, RepeatedFlagsCollectAndKeepTheirEqualSigns) {
  DemoFlags flags;
  COHORT_ASSERT_OK(
      ParseDemo({"c", "--output=o", "--set", "a.b=1", "--set=c=d=e"}, &flags));
  EXPECT_THAT(flags.set, ElementsAre("a.b=1", "c=d=e"));
}

TEST(FlagParserTest, UntouchedFlagsKeepTheirDefaults) {
  DemoFlags flags;
  COHORT_ASSERT_OK(ParseDemo({"--output=", "c"}, &flags));
  EXPECT_EQ(flags.output, "");
  EXPECT_EQ(flags.workers, 2);
  EXPECT_FALSE(flags.resume);
}

TEST(FlagParserTest, DashesAloneEndTheFlagsAndDashIsAName) {
  DemoFlags flags;
  COHORT_ASSERT_OK(ParseDemo({"--output", "-", "--", "--odd-name"}, &flags));
  EXPECT_EQ(flags.output, "-");
  EXPECT_EQ(flags.config, "--odd-name");
}

struct WrongCall {
  std::vector<std::string> args;
  std::string message;
};

TEST(FlagParserTest, WrongCallsSayWhatIsWrong) {
  const std::vector<WrongCall> calls = {
      {{"c", "--output=o", "--worker", "3"},
       "unknown flag --worker; nearest is --workers"},
      {{"c", "--output=o", "--workers", "many"},
       "flag --workers: expected a whole number, got 'many'"},
      {{"c", "--output=o", "--workers=99999999999"}, "expected a whole number"},
      {{"c", "--output=o", "--workers="}, "got ''"},
      {{"c", "--output=o", "--seed=-1"}, "expected a whole number"},
      {{"c", "--output=o", "--temperature=nan"}, "expected a number"},
      {{"c", "--output=o", "--temperature=1e999"}, "expected a number"},
      {{"c", "--output=o", "--resume=maybe"}, "expected true or false"},
      {{"c", "--output=o", "--k=1,,2"}, "expected whole numbers with commas"},
      {{"c", "--output", "--resume"}, "flag --output needs a value (FILE)"},
      {{"c", "--output"}, "flag --output needs a value (FILE)"},
      {{"c", "--output=o", "--output=p"}, "flag --output is given twice"},
      {{"c", "-w", "3", "--output=o"}, "unknown flag -w"},
      {{"c", "d", "--output=o"}, "unexpected argument 'd'"},
      {{"--output=o"}, "missing CONFIG"},
      {{"c"}, "missing --output FILE"},
  };
  for (const WrongCall& call : calls) {
    DemoFlags flags;
    EXPECT_THAT(
        ParseDemo(call.args, &flags),
        StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(call.message)))
        << call.message;
  }
}

TEST(FlagParserTest, HelpPrintsTheUsageAndEndsWell) {
  DemoFlags flags;
  testing::internal::CaptureStdout();
  EXPECT_EQ(DemoParser(&flags).Parse({"--help", "--nonsense"}), 0);
  const std::string usage = testing::internal::GetCapturedStdout();
  EXPECT_THAT(usage, HasSubstr("usage: cohort demo CONFIG --output FILE"));
  EXPECT_THAT(usage, HasSubstr("threads (default 2)"));
}

TEST(FlagParserTest, AWrongCallIsOneLineAndExitCodeTwo) {
  DemoFlags flags;
  testing::internal::CaptureStderr();
  EXPECT_EQ(DemoParser(&flags).Parse({"c", "--output=o", "two\nlines"}), 2);
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            "cohort demo: unexpected argument 'two lines' (see cohort demo "
            "--help)\n");
}

int RunFirst(const std::vector<std::string>& args) {
  return args == std::vector<std::string>{"--x", "1"} ? 0 : 7;
}

int RunDispatch(std::vector<std::string> args) {
  std::vector<char*> argv = {nullptr};
  for (std::string& arg : args) argv.push_back(arg.data());
  const std::vector<Verb> verbs = {{"grade", "grades", RunFirst}};
  return RunVerb(static_cast<int>(argv.size()), argv.data(), verbs);
}

TEST(RunVerbTest, TheVerbGetsWhatFollowsItsName) {
  EXPECT_EQ(RunDispatch({"grade", "--x", "1"}), 0);
}

TEST(RunVerbTest, UnknownAndMissingVerbsAreWrongCalls) {
  testing::internal::CaptureStderr();
  EXPECT_EQ(RunDispatch({"grad"}), kExitWrongCall);
  EXPECT_EQ(RunDispatch({}), kExitWrongCall);
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            "cohort: unknown verb 'grad'; nearest is 'grade'\n"
            "cohort: missing verb; one of grade\n");
}

TEST(NearestNameTest, FewestChangedLettersWin) {
  EXPECT_EQ(NearestName("lr", {"learning_rate", "lease"}), "lease");
  EXPECT_EQ(NearestName("groupsize", {"steps", "group_size"}), "group_size");
  EXPECT_EQ(NearestName("x", {}), "");
}

}  // namespace
}  // namespace cohort
