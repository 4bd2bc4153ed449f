#include "rollout/generate_rows.h"

#include "gmock/gmock.h"
#include "tests/testing/status_matchers.h"

namespace cohort {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(GenerateRowsTest, ReadsTextsAndIds) {
  const auto text = ParseGenerateRow(R"({"id": "a", "prompt": "1+1="})", "f:1");
  COHORT_ASSERT_OK(text);
  EXPECT_EQ(text->id, "\"a\"");
  EXPECT_EQ(text->text, "1+1=");
  const auto ids = ParseGenerateRow(R"({"ids": [3, 0]})", "f:2");
  COHORT_ASSERT_OK(ids);
  EXPECT_EQ(ids->id, "\"f:2\"");
  EXPECT_TRUE(ids->has_ids);
  EXPECT_THAT(ids->ids, ElementsAre(3, 0));
  // The template reads the row itself, so that nothing of it is lost.
  const std::string line =
      R"({"messages": [{"role": "user", "content": "hi", "n": 1e20}]})";
  const auto chat = ParseGenerateRow(line, "f:3");
  COHORT_ASSERT_OK(chat);
  EXPECT_EQ(chat->flaw, "");
  EXPECT_EQ(chat->chat, line);
}

TEST(GenerateRowsTest, ABadRowHasAFlawAndABadLineIsAnError) {
  for (const char* line :
       {R"({"id": 1})", R"({"ids": []})", R"({"ids": [1.5]})",
        R"({"ids": [-1]})", R"({"ids": [4294967296]})", R"({"prompt": 3})",
        R"({"messages": []})", R"({"messages": "hi"})"}) {
    const auto row = ParseGenerateRow(line, "f:1");
    COHORT_ASSERT_OK(row);
    EXPECT_NE(row->flaw, "") << line;
  }
  for (const char* line : {"", "[1]", "{", "{} x"}) {
    EXPECT_THAT(ParseGenerateRow(line, "f:1"),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("JSON")))
        << line;
  }
}

TEST(GenerateRowsTest, PrintsCompletionsInMemberOrder) {
  GenerateRow row;
  row.id = "7";
  Group group;
  Trajectory* const first = group.add_trajectories();
  first->set_text("4$");
  first->add_tokens(4);
  first->add_sampler_logprobs(-0.5f);
  first->set_finish_reason(FINISH_REASON_STOP);
  group.add_trajectories()->set_finish_reason(FINISH_REASON_LENGTH);
  EXPECT_EQ(PrintCompletions(row, group, true),
            R"({"id":7,"completions":[{"text":"4$","ids":[4],)"
            R"("logprobs":[-0.5],"finish_reason":"stop"},{"text":"","ids":[],)"
            R"("logprobs":[],"finish_reason":"length"}]})");
  EXPECT_THAT(PrintCompletions(row, group, false), HasSubstr(R"("text":null)"));
  row.flaw = "no";
  EXPECT_EQ(PrintCompletions(row, group, true), R"({"id":7,"error":"no"})");
}

}  // namespace
}  // namespace cohort
