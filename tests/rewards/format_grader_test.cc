#include "rewards/format_grader.h"

#include "gmock/gmock.h"
#include "tests/rewards/case_rows.h"
#include "tests/testing/status_matchers.h"

namespace cohort {
namespace {

using testing::HasSubstr;

void ExpectTable(const std::string& name, const std::string& format) {
  for (const CaseRow& row : ReadCases(name)) {
    Prompt prompt = CasePrompt(row.row);
    prompt.set_format(format);
    const auto flaw = FormatFlaw(
        prompt,
        {.text = row.completion, .finished = row.row.value("finished", true)});
    COHORT_ASSERT_OK(flaw) << row.place;
    EXPECT_EQ(flaw->empty(), row.row["format"] == 1) << row.place << *flaw;
  }
}

TEST(FormatGraderTest, R1AgreesWithTheTable) {
  ExpectTable("r1_format_cases.jsonl", "r1");
}

TEST(FormatGraderTest, CompactAgreesWithTheTable) {
  ExpectTable("chain_cases.jsonl", "compact");
}

TEST(FormatGraderTest, WhatTheLengthLimitCutOffHasNoShape) {
  Prompt prompt;
  prompt.set_format("compact");
  const Completion cut = {.text = "[]{4}", .finished = false};
  EXPECT_THAT(FormatFlaw(prompt, cut), IsOkAndHolds(HasSubstr("cut off")));
  const auto grade =
      FormatGrader().GradeOne(prompt, cut, absl::InfiniteFuture());
  COHORT_ASSERT_OK(grade);
  EXPECT_EQ(grade->verdict(), VERDICT_WRONG);
}

TEST(FormatGraderTest, AnUnknownFormatIsRefused) {
  Prompt prompt;
  prompt.set_format("haiku");
  EXPECT_THAT(FormatGrader().CheckPrompt(prompt),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "no format 'haiku'; known: compact, r1"));
}

}  // namespace
}  // namespace cohort
