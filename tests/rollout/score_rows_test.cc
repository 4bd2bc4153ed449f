#include "rollout/score_rows.h"

#include "gmock/gmock.h"
#include "tests/testing/status_matchers.h"

namespace cohort {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(ScoreRowsTest, ReadsIdsAndKeepsTheIdAsItStood) {
  const auto text = ParseScoreRow(R"({"id": "a b", "ids": [3, 0]})", "f:1");
  COHORT_ASSERT_OK(text);
  EXPECT_EQ(text->id, "\"a b\"");
  EXPECT_EQ(text->name, "a b");
  EXPECT_THAT(text->ids, ElementsAre(3, 0));
  const auto number = ParseScoreRow(R"({"id": 7, "ids": [1]})", "f:2");
  COHORT_ASSERT_OK(number);
  EXPECT_EQ(number->id, "7");
  EXPECT_EQ(number->name, "7");
}

TEST(ScoreRowsTest, ABadRowHasAFlawAndABadLineIsAnError) {
  for (const char* line : {R"({"id": 1})", R"({"ids": []})",
                           R"({"ids": ["1"]})", R"({"prompt": "text"})"}) {
    const auto row = ParseScoreRow(line, "f:1");
    COHORT_ASSERT_OK(row);
    EXPECT_NE(row->flaw, "") << line;
    EXPECT_THAT(PrintScore(*row, {}), HasSubstr("\"error\"")) << line;
  }
  EXPECT_THAT(ParseScoreRow("[1]", "f:1"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("JSON")));
}

TEST(ScoreRowsTest, PrintsLogprobs) {
  ScoreRow row;
  row.id = "\"x\"";
  EXPECT_EQ(PrintScore(row, {-0.5f, -2.0f}),
            R"({"id":"x","logprobs":[-0.5,-2.0]})");
  EXPECT_EQ(PrintScore(row, {}), R"({"id":"x","logprobs":[]})");
}

}  // namespace
}  // namespace cohort
