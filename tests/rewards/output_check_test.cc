#include "rewards/output_check.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/status_matchers.h"

namespace cohort {
namespace {

std::string Flaw(std::string_view output, std::string_view expected,
                 const std::string& checker) {
  const absl::StatusOr<Checker> parsed = ParseChecker(checker);
  EXPECT_THAT(parsed, IsOk());
  return OutputFlaw(output, expected, *parsed);
}

TEST(OutputCheckTest, LinesForgiveBlanksAtTheirEndsAlone) {
  EXPECT_EQ(Flaw("1 \r\n2\n\n\n", "1\n2", "lines"), "");
  EXPECT_NE(Flaw(" 1\n", "1\n", "lines"), "");
  EXPECT_NE(Flaw("1\n\n2\n", "1\n2\n", "lines"), "");
  EXPECT_NE(Flaw("12", "1\n2", "lines"), "");
  EXPECT_NE(Flaw("", "7", "lines"), "");
  EXPECT_EQ(Flaw("", "", "lines"), "");
}

TEST(OutputCheckTest, ANulByteEndsNothing) {
  EXPECT_NE(Flaw(std::string_view("7\0\n", 3), "7\n", "lines"), "");
  EXPECT_NE(Flaw(std::string_view("7\0x", 3), "7", "tokens"), "");
}

TEST(OutputCheckTest, ExactForgivesNothing) {
  EXPECT_EQ(Flaw("7\n", "7\n", "exact"), "");
  EXPECT_NE(Flaw("7", "7\n", "exact"), "");
}

TEST(OutputCheckTest, TokensForgiveAllSpace) {
  EXPECT_EQ(Flaw(" 1\n\n2  3", "1 2\n3\n", "tokens"), "");
  EXPECT_NE(Flaw("1 23", "1 2 3", "tokens"), "");
  EXPECT_NE(Flaw("1 2", "1 2 3", "tokens"), "");
}

TEST(OutputCheckTest, FloatsMayDifferByTheToleranceAlone) {
  EXPECT_EQ(Flaw("0.33333334 ok", "0.333333333 ok", "float:1e-6"), "");
  EXPECT_NE(Flaw("0.334", "0.333333333", "float:1e-6"), "");
  EXPECT_EQ(Flaw("1000000.5", "1000000.0", "float:1e-6"), "");
  EXPECT_NE(Flaw("nan", "1.0", "float:1e-6"), "");
  EXPECT_NE(Flaw("inf", "1.0", "float:1e-6"), "");
  EXPECT_NE(Flaw("1.0 2.0", "1.0", "float:1e-6"), "");
}

TEST(OutputCheckTest, AnUnknownCheckerIsAnError) {
  for (const char* name :
       {"float", "float:x", "float:-1", "float:nan", "eval"}) {
    EXPECT_FALSE(ParseChecker(name).ok()) << name;
  }
}

}  // namespace
}  // namespace cohort
