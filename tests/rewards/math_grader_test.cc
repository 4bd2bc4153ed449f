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

TEST(MathGraderTest, AGoldAnswerBeyondNumbersIsRefusedNotCountedWrong) {
  EXPECT_THAT(MathGrader().CheckPrompt(Gold("x^2+1")),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("x^2+1")));
  EXPECT_THAT(MathGrader().CheckPrompt(Gold("")),
              StatusIs(absl::StatusCode::kInvalidArgument, "no answer"));
  EXPECT_THAT(GradeAnswerPair("\\sqrt{2}", "1.41"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("sqrt")));
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
