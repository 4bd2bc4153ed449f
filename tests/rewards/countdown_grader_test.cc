#include "rewards/countdown_grader.h"

#include "gmock/gmock.h"
#include "proto/rows.h"
#include "tests/rewards/case_rows.h"
#include "tests/testing/status_matchers.h"

namespace cohort {
namespace {

using testing::HasSubstr;

Grade GradeText(const Prompt& prompt, const std::string& text) {
  const auto grade = CountdownGrader().GradeOne(prompt, {.text = text},
                                                absl::InfiniteFuture());
  COHORT_EXPECT_OK(grade);
  return grade.value_or(Grade());
}

Prompt Numbers(const std::vector<int64_t>& numbers, int64_t target) {
  Prompt prompt;
  prompt.mutable_numbers()->Assign(numbers.begin(), numbers.end());
  prompt.set_target(target);
  return prompt;
}

TEST(CountdownGraderTest, AgreesWithTheTable) {
  for (const CaseRow& row : ReadCases("countdown_cases.jsonl")) {
    const Grade grade = GradeText(CasePrompt(row.row), row.completion);
    EXPECT_EQ(VerdictName(grade.verdict()), row.row["verdict"])
        << row.place << ": " << grade.reason();
  }
}

TEST(CountdownGraderTest, TheReasonSaysWhatIsWrong) {
  const Prompt prompt = Numbers({7, 3, 5}, 22);
  EXPECT_EQ(GradeText(prompt, "{7/3}").reason(), "is 7/3, target is 22");
  EXPECT_EQ(GradeText(prompt, "{7+7}").reason(), "7 is not given, or used up");
  EXPECT_EQ(GradeText(prompt, "{7/(3-3)}").reason(), "division by 0");
  EXPECT_EQ(GradeText(prompt, "{3*5+7=23}").reason(),
            "the right side is not the target");
}

TEST(CountdownGraderTest, PromptsThatCannotBeGradedAreRefused) {
  const CountdownGrader grader;
  EXPECT_THAT(grader.CheckPrompt(Numbers({}, 1)),
              StatusIs(absl::StatusCode::kInvalidArgument, "no numbers"));
  EXPECT_THAT(grader.CheckPrompt(Numbers({3, -1}, 1)),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("-1")));
  EXPECT_THAT(
      grader.CheckPrompt(Numbers(std::vector<int64_t>(65, 1), 1)),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("at most 64")));
  COHORT_EXPECT_OK(grader.CheckPrompt(Numbers(std::vector<int64_t>(64, 1), 1)));
}

}  // namespace
}  // namespace cohort
