#include "rewards/math_grader.h"

#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "configs/math_policy.h"
#include "gmock/gmock.h"
#include "nlohmann/json.hpp"
#include "proto/rows.h"
#include "rewards/grade_rows.h"
#include "rewards/maths/answers.h"
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

// Rows as `cohort grade` takes them; the parser of rows is tested with them.
TEST(MathGraderTest, AgreesWithTheTablesOfGrading) {
  int number = 0;
  for (const std::string name : {"own.jsonl", "relatives.jsonl"}) {
    std::ifstream file("tests/data/grading/" + name);
    std::string line;
    for (int i = 1; std::getline(file, line); ++i, ++number) {
      const std::string place = absl::StrCat(name, ":", i);
      const auto row = ParseGradeRow(line, place);
      COHORT_ASSERT_OK(row) << place;
      ASSERT_EQ(row->flaw, "") << place;
      const auto grade = MathGrader().GradeOne(
          row->prompt, {.text = row->completion}, absl::InfiniteFuture());
      const bool expected = nlohmann::json::parse(line)["expected"];
      // No completion can be right where the gold is refused.
      const bool accepted = grade.ok() && grade->verdict() == VERDICT_CORRECT;
      EXPECT_EQ(accepted, expected) << place << ": " << line.substr(0, 300);
    }
  }
  EXPECT_GT(number, 700);
}

struct BadInput {
  const char* what;
  std::string completion;
};

TEST(MathGraderTest, NoBytesEarnAGradeThatTheyDoNotShow) {
  const std::vector<BadInput> bad = {
      {"not UTF-8", "\\boxed{4\xff\x32}"},
      {"cut character", "\\boxed{42\xe2\x88}"},
      {"overlong digit", "\\boxed{4\xc0\xb2}"},
      {"NUL", std::string("\\boxed{4\0002}", 11)},
      {"right to left", "\\boxed{\u202e24}"},
      {"isolates", "\\boxed{\u206624\u2069}"},
      {"zero width", "\\boxed{4\u200b2}"},
      {"soft hyphen", "\\boxed{4\u00ad2}"},
      {"full width", "\\boxed{\uff14\uff12}"},
      {"Arabic digits", "\\boxed{\u0664\u0662}"},
      {"mathematical digits", "\\boxed{\U0001d7d2\U0001d7d0}"},
      {"letter O", "\\boxed{4Z}"},
      {"10 MB of text", std::string(10 << 20, 'a')},
      {"10 MB in a box", "\\boxed{42" + std::string(10 << 20, ' ') + "1}"},
      {"10 MB of digits", "\\boxed{" + std::string(10 << 20, '4') + "}"}};
  const Prompt gold = Gold("42");
  for (const BadInput& input : bad) {
    const auto grade = MathGrader().GradeOne(gold, {.text = input.completion},
                                             absl::InfiniteFuture());
    COHORT_ASSERT_OK(grade) << input.what;
    EXPECT_EQ(grade->score(), 0) << input.what;
    EXPECT_NE(grade->verdict(), VERDICT_CORRECT) << input.what;
  }
  const auto right = MathGrader().GradeOne(
      gold, {.text = std::string(10 << 20, 'a') + "\\boxed{42}"},
      absl::InfiniteFuture());
  COHORT_ASSERT_OK(right);
  EXPECT_EQ(right->verdict(), VERDICT_CORRECT);
}

TEST(MathGraderTest, AnOptionIsTakenOnlyWhereOneIsChosen) {
  const auto verdict = [](const char* completion) {
    const auto grade = MathGrader().GradeOne(Gold("C"), {.text = completion},
                                             absl::InfiniteFuture());
    COHORT_EXPECT_OK(grade);
    return grade->verdict();
  };
  for (const char* text :
       {"The answer is C.", "I choose (C).", "Option C is correct.", "**C**",
        "\\boxed{\\text{(C)}~12}", "A is wrong. B is wrong. So C.",
        "It's not A because it is odd, therefore I think it's C"}) {
    EXPECT_EQ(verdict(text), VERDICT_CORRECT) << text;
  }
  for (const char* text :
       {"The answer is D.", "The answer is C or D.", "The answer is A or C.",
        "A or C", "\\boxed{A, C}", "\\boxed{AC}", "The answer is not C.",
        "Answer: D, not C.", "C is wrong, so it is D.",
        "\\boxed{\\text{C or D}}", "I cannot decide."}) {
    EXPECT_NE(verdict(text), VERDICT_CORRECT) << text;
  }
}

TEST(MathGraderTest, ThePromptChoosesThePolicy) {
  Prompt prompt = Gold("10\\text{ cm}");
  const auto verdict = [&prompt] {
    const auto grade = MathGrader().GradeOne(
        prompt, {.text = "\\boxed{0.1\\text{ m}}"}, absl::InfiniteFuture());
    COHORT_EXPECT_OK(grade);
    EXPECT_EQ(grade->policy_version(), kMathPolicyVersion);
    return grade->verdict();
  };
  EXPECT_EQ(verdict(), VERDICT_WRONG);
  prompt.set_math_policy("core, unit-conversion");
  EXPECT_EQ(verdict(), VERDICT_CORRECT);
}

TEST(MathGraderTest, TheOptionsOfAPromptsRowAreChoicesToo) {
  Prompt prompt = Gold("\\frac{1}{3}");
  const auto verdict = [&prompt] {
    const auto grade = MathGrader().GradeOne(prompt, {.text = "\\boxed{0.33}"},
                                             absl::InfiniteFuture());
    COHORT_EXPECT_OK(grade);
    return grade->verdict();
  };
  EXPECT_EQ(verdict(), VERDICT_WRONG);
  prompt.set_row_json(R"({"opts": {"float_rounding": 2}})");
  EXPECT_EQ(verdict(), VERDICT_CORRECT);
  prompt.set_row_json(R"({"opts": {"colour": 2}})");
  EXPECT_THAT(MathGrader().CheckPrompt(prompt),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("no option 'colour'")));
}

TEST(MathGraderTest, AnUnknownPolicyIsRefused) {
  Prompt prompt = Gold("4");
  prompt.set_math_policy("lenient");
  EXPECT_THAT(MathGrader().CheckPrompt(prompt),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("no maths policy 'lenient'; known: ")));
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
