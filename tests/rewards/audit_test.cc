#include "rewards/audit.h"

#include <string>

#include "gmock/gmock.h"
#include "proto/rows.h"
#include "rewards/grader.h"
#include "rewards/plain_judge.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temp_dir.h"

namespace cohort {
namespace {

using testing::HasSubstr;
using testing::Optional;

TEST(PlainJudgeTest, NumbersAndLettersAreCompared) {
  EXPECT_THAT(JudgePlainly("42", "so \\boxed{42}"), Optional(true));
  EXPECT_THAT(JudgePlainly("42", "so \\boxed{43}"), Optional(false));
  EXPECT_THAT(JudgePlainly("0.5", "\\boxed{\\frac{1}{2}}"), Optional(true));
  EXPECT_THAT(JudgePlainly("1/2", "x\n#### 0.5"), Optional(true));
  EXPECT_THAT(JudgePlainly("x+1", "\\boxed{ x + 1 }"), Optional(true));
  EXPECT_THAT(JudgePlainly("-3", "\\boxed{1} then \\boxed{-3}"),
              Optional(true));
}

TEST(PlainJudgeTest, WhatItCannotTellItDoesNotSay) {
  EXPECT_EQ(JudgePlainly("42", "it is 42"), std::nullopt);
  EXPECT_EQ(JudgePlainly("x+1", "\\boxed{1+x}"), std::nullopt);
  EXPECT_EQ(JudgePlainly("1", "\\boxed{1/0}"), std::nullopt);
  EXPECT_EQ(JudgePlainly("1", "\\boxed{" + std::string(1 << 20, '{')),
            std::nullopt);
}

Prompt MathPrompt(const std::string& answer) {
  Prompt prompt;
  prompt.set_id("p1");
  prompt.set_verifier("math");
  prompt.set_answer(answer);
  return prompt;
}

TEST(AuditorTest, ADisagreementIsKeptToLookAt) {
  const TempDir dir;
  const std::string path = dir.path() + "/audit.jsonl";
  auto auditor = Auditor::Create(1.0, path);
  COHORT_ASSERT_OK(auditor);
  EXPECT_THAT(
      (*auditor)->Audit(MathPrompt("42"), "\\boxed{42}", CorrectGrade("42")),
      Optional(true));
  EXPECT_THAT((*auditor)->Audit(MathPrompt("42"), "\\boxed{43} \xff",
                                CorrectGrade("43")),
              Optional(false));
  const auto kept = ReadFile(path);
  COHORT_ASSERT_OK(kept);
  EXPECT_THAT(*kept, HasSubstr(R"("prompt_id":"p1")"));
  EXPECT_THAT(*kept, HasSubstr(R"("second_grader":"wrong")"));
  EXPECT_EQ(std::count(kept->begin(), kept->end(), '\n'), 1);
}

TEST(AuditorTest, TheShareDecidesHowManyAreLookedAt) {
  auto none = Auditor::Create(0.0, "");
  auto tenth = Auditor::Create(0.1, "");
  COHORT_ASSERT_OK(none);
  COHORT_ASSERT_OK(tenth);
  int looked_at = 0;
  for (int i = 0; i < 1000; ++i) {
    const std::string completion = "\\boxed{" + std::to_string(i) + "}";
    const Grade grade = WrongGrade(std::to_string(i), "");
    EXPECT_EQ((*none)->Audit(MathPrompt("-1"), completion, grade),
              std::nullopt);
    looked_at +=
        (*tenth)->Audit(MathPrompt("-1"), completion, grade).has_value();
  }
  // Binomial: 100 +- 5 standard deviations of 9.5.
  EXPECT_GT(looked_at, 52);
  EXPECT_LT(looked_at, 148);
}

TEST(AuditorTest, AFileThatCannotBeWrittenIsNamed) {
  EXPECT_THAT(Auditor::Create(1.0, "/no/such/folder/audit.jsonl").status(),
              StatusIs(absl::StatusCode::kNotFound,
                       HasSubstr("/no/such/folder/audit.jsonl")));
}

}  // namespace
}  // namespace cohort
