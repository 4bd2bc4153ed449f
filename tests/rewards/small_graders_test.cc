// The graders of a few lines each: numeric, regex, multiple choice, language.
#include <string>

#include "gmock/gmock.h"
#include "rewards/language_grader.h"
#include "rewards/multiple_choice_grader.h"
#include "rewards/numeric_grader.h"
#include "rewards/regex_grader.h"
#include "tests/testing/status_matchers.h"

namespace cohort {
namespace {

using testing::HasSubstr;

Prompt PromptOf(const std::string& answer, const std::string& row = "{}") {
  Prompt prompt;
  prompt.set_answer(answer);
  prompt.set_row_json(row);
  return prompt;
}

Grade GradeWith(const Grader& grader, const Prompt& prompt,
                std::string_view text) {
  EXPECT_THAT(grader.CheckPrompt(prompt), IsOk());
  const auto grade =
      grader.GradeOne(prompt, {.text = text}, absl::InfiniteFuture());
  EXPECT_THAT(grade, IsOk());
  return *grade;
}

Verdict NumericVerdict(const Prompt& prompt, std::string_view text) {
  return GradeWith(NumericGrader(), prompt, text).verdict();
}

TEST(NumericGraderTest, NumbersAreReadAsTheyAreWritten) {
  for (const char* text :
       {"\\boxed{1250}", "so it is 1,250.", "<answer> 1250.0 </answer>",
        "5\n#### $1,250", "\\boxed{1.25e3}", "\\boxed{2500/2}",
        "<think>7</think> 1250"}) {
    EXPECT_EQ(NumericVerdict(PromptOf("1250"), text), VERDICT_CORRECT) << text;
  }
  for (const char* text : {"\\boxed{1251}", "\\boxed{-1250}", "1250 or 7",
                           "\\boxed{1250/0}", "\\boxed{about 1250}"}) {
    EXPECT_EQ(NumericVerdict(PromptOf("1250"), text), VERDICT_WRONG) << text;
  }
  EXPECT_EQ(NumericVerdict(PromptOf("1250"), "none"), VERDICT_FORMAT_ERROR);
}

TEST(NumericGraderTest, ToleranceIsTheRows) {
  const Prompt absolute = PromptOf("10", R"({"tolerance": 0.5})");
  EXPECT_EQ(NumericVerdict(absolute, "\\boxed{10.5}"), VERDICT_CORRECT);
  EXPECT_EQ(NumericVerdict(absolute, "\\boxed{10.51}"), VERDICT_WRONG);
  const Prompt relative = PromptOf("-200", R"({"relative_tolerance": 0.01})");
  EXPECT_EQ(NumericVerdict(relative, "\\boxed{-202}"), VERDICT_CORRECT);
  EXPECT_EQ(NumericVerdict(relative, "\\boxed{-202.1}"), VERDICT_WRONG);
}

TEST(NumericGraderTest, APromptWithoutANumberIsRefused) {
  for (const Prompt& prompt :
       {PromptOf(""), PromptOf("ten"), PromptOf("1/0"), PromptOf("1e999"),
        PromptOf("1", R"({"tolerance": "x"})"),
        PromptOf("1", R"({"tolerance": -1})")}) {
    EXPECT_THAT(NumericGrader().CheckPrompt(prompt),
                StatusIs(absl::StatusCode::kInvalidArgument, testing::_));
  }
}

TEST(RegexGraderTest, ThePatternIsLookedForBehindTheThinking) {
  const Prompt prompt = PromptOf("answer: (\\w+)");
  const Grade grade =
      GradeWith(RegexGrader(), prompt, "answer: no</think>answer: yes");
  EXPECT_EQ(grade.verdict(), VERDICT_CORRECT);
  EXPECT_EQ(grade.extracted(), "yes");
  EXPECT_EQ(GradeWith(RegexGrader(), prompt, "answer: no</think>").verdict(),
            VERDICT_WRONG);
}

TEST(RegexGraderTest, APatternThatIsNoneIsRefused) {
  for (const char* pattern : {"", "(", "a{99999}", "(?=x)"}) {
    EXPECT_THAT(RegexGrader().CheckPrompt(PromptOf(pattern)),
                StatusIs(absl::StatusCode::kInvalidArgument, testing::_))
        << pattern;
  }
}

TEST(MultipleChoiceGraderTest, TheOptionThatTheTextEndsUpWithCounts) {
  const auto verdict = [](std::string_view text) {
    return GradeWith(MultipleChoiceGrader(),
                     PromptOf("B", R"({"choices": "ABCD"})"), text)
        .verdict();
  };
  for (const char* text :
       {"\\boxed{B}", "\\boxed{(b)}", "<answer>B. Paris</answer>",
        "A looks right, but the answer is B.", "<think>A</think> (B)"}) {
    EXPECT_EQ(verdict(text), VERDICT_CORRECT) << text;
  }
  for (const char* text : {"\\boxed{C}", "The answer is (A)"}) {
    EXPECT_EQ(verdict(text), VERDICT_WRONG) << text;
  }
  EXPECT_EQ(verdict("I do not know"), VERDICT_FORMAT_ERROR);
}

TEST(MultipleChoiceGraderTest, AnAnswerThatIsNoOptionIsRefused) {
  for (const Prompt& prompt : {PromptOf(""), PromptOf("Paris"),
                               PromptOf("E", R"({"choices": "ABCD"})")}) {
    EXPECT_THAT(MultipleChoiceGrader().CheckPrompt(prompt),
                StatusIs(absl::StatusCode::kInvalidArgument, testing::_));
  }
}

TEST(LanguageGraderTest, TheShareOfWordsIsTheScore) {
  const auto share = [](const char* language, std::string_view text) {
    return GradeWith(LanguageGrader(), PromptOf(language), text).score();
  };
  EXPECT_EQ(share("en", "one two \\frac{1}{2} three \xe5\x9b\x9b"), 0.75);
  EXPECT_EQ(share("zh", "\xe5\x9b\x9b\xe4\xba\x94 two"), 2.0 / 3);
  EXPECT_EQ(share("ja", "\xe3\x81\x82\xe5\x9b\x9b"), 1);
  EXPECT_EQ(share("ru", "\xd0\xb4\xd0\xb0 \xff yes"), 0.5);
}

TEST(LanguageGraderTest, NothingButSymbolsHasNoLanguage) {
  EXPECT_EQ(GradeWith(LanguageGrader(), PromptOf("en"), "1 + 1 = 2").verdict(),
            VERDICT_FORMAT_ERROR);
  EXPECT_THAT(LanguageGrader().CheckPrompt(PromptOf("xx")),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("no language 'xx'; known: ar, de")));
}

}  // namespace
}  // namespace cohort
