#include "rewards/math_grader.h"

#include "gmock/gmock.h"
#include "proto/rows.h"
#include "tests/rewards/case_rows.h"
#include "tests/testing/status_matchers.h"

namespace cohort {
namespace {

using testing::HasSubstr;

Prompt Gold(const std::string& answer) {
  Prompt prompt;
  prompt.set_answer(answer);
  return prompt;
}

TEST(MathGraderTest, AgreesWithTheTable) {
  const MathGrader grader;
  for (const CaseRow& row : ReadCases("math_cases.jsonl")) {
    const Prompt prompt = Gold(row.row["gold"]);
    COHORT_EXPECT_OK(grader.CheckPrompt(prompt)) << row.place;
    const auto grade = grader.GradeOne(prompt, {.text = row.completion},
                                       absl::InfiniteFuture());
    COHORT_ASSERT_OK(grade) << row.place;
    EXPECT_EQ(VerdictName(grade->verdict()), row.row["verdict"])
        << row.place << ": extracted " << grade->extracted();
  }
}

TEST(MathGraderTest, AGoldAnswerThatNothingCanEqualIsRefused) {
  for (const char* gold : {"x^2+", "\\frac{1}{", "5/0", "\\frac{1}{1-1}", "nan",
                           "\\text{nan}", "((1)", "?", "\\log 0", "0^0"}) {
    EXPECT_THAT(MathGrader().CheckPrompt(Gold(gold)),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(gold)))
        << gold;
  }
  for (const char* gold : {"", " \n"}) {
    EXPECT_THAT(MathGrader().CheckPrompt(Gold(gold)),
                StatusIs(absl::StatusCode::kInvalidArgument, "no answer"));
  }
  for (const char* gold : {"x^2+1", "\\text{Evelyn}", "east", "(1,2)", "B",
                           "\\infty", "\\{1,2\\}", "[0,1)", "4:30"}) {
    COHORT_EXPECT_OK(MathGrader().CheckPrompt(Gold(gold))) << gold;
  }
}

// Protobuf refuses texts that are not UTF-8, so a grade must never hold one.
TEST(MathGraderTest, WhatIsShownIsShortValidUtf8) {
  const std::string text = "\\boxed{\xff\xc3" + std::string(5000, 'x') + "}";
  const auto grade =
      MathGrader().GradeOne(Gold("1"), {.text = text}, absl::InfiniteFuture());
  COHORT_ASSERT_OK(grade);
  EXPECT_THAT(grade->extracted(), testing::StartsWith("\uFFFD\uFFFDxxx"));
  EXPECT_LE(grade->extracted().size(), kMaxShownBytes + 3);
  Grade copy;
  EXPECT_TRUE(copy.ParseFromString(grade->SerializeAsString()));
}

}  // namespace
}  // namespace cohort
