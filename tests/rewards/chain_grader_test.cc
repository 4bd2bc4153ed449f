#include "rewards/chain_grader.h"

#include "gmock/gmock.h"
#include "proto/rows.h"
#include "tests/rewards/case_rows.h"
#include "tests/testing/status_matchers.h"

namespace cohort {
namespace {

TEST(ChainGraderTest, AgreesWithTheTable) {
  const ChainGrader grader;
  for (const CaseRow& row : ReadCases("chain_cases.jsonl")) {
    const auto grade = grader.GradeOne(
        CasePrompt(row.row), {.text = row.completion}, absl::InfiniteFuture());
    COHORT_ASSERT_OK(grade) << row.place;
    EXPECT_EQ(VerdictName(grade->verdict()), row.row["verdict"]) << row.place;
    EXPECT_EQ(grade->score(), row.row["verdict"] == "correct") << row.place;
  }
}

TEST(ChainGraderTest, AccuracyDoesNotAskHowTheCompletionEnded) {
  Prompt prompt;
  prompt.set_answer("4");
  EXPECT_EQ(ChainGrader()
                .GradeOne(prompt, {.text = "[]{4}", .finished = false},
                          absl::InfiniteFuture())
                ->verdict(),
            VERDICT_CORRECT);
}

TEST(ChainGraderTest, APromptWithoutAnswerIsRefused) {
  EXPECT_THAT(ChainGrader().CheckPrompt(Prompt()),
              StatusIs(absl::StatusCode::kInvalidArgument, "no answer"));
}

}  // namespace
}  // namespace cohort
