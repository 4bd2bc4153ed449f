#include "learner/export_text.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cohort {
namespace {

using ::testing::SizeIs;

std::vector<uint64_t> Words(std::string_view text) {
  std::vector<uint64_t> words;
  AppendWords(text, &words);
  return words;
}

TEST(ExportTextTest, WordsIgnoreCaseSpacesAndPunctuation) {
  EXPECT_THAT(Words("The cat, the CAT!"), SizeIs(4));
  EXPECT_EQ(Words("The cat -- sat.\n\nOn \"it\""), Words("the CAT sat on it"));
  EXPECT_NE(Words("the cat"), Words("the cats"));
  EXPECT_NE(Words("the cat"), Words("cat the"));
  EXPECT_THAT(Words(" .,;\n"), SizeIs(0));
}

TEST(ExportTextTest, OperatorsBetweenOperandsAreWords) {
  EXPECT_EQ(Words("12-5"), Words("12 - 5"));
  EXPECT_NE(Words("12-5+7"), Words("12+5-7"));
  EXPECT_EQ(Words("12*5=60"), Words("12 * 5 = 60"));
  EXPECT_EQ(Words("(x+1)*(y)"), Words("(x + 1) * (y)"));
  // A hyphen, a bullet and bold type are none.
  EXPECT_EQ(Words("a well-known fact"), Words("a well known fact"));
  EXPECT_EQ(Words("- **one**\n- two"), Words("one two"));
}

TEST(ExportTextTest, WordsOfOtherScripts) {
  EXPECT_THAT(Words("今天天气"), SizeIs(4));
  EXPECT_THAT(Words("привет, мир"), SizeIs(2));
  EXPECT_THAT(Words("naïve café"), SizeIs(2));
  EXPECT_THAT(Words("GPT和我"), SizeIs(3));
  EXPECT_THAT(Words("a\xff\xfe b"), SizeIs(2));
}

TEST(ExportTextTest, RunsOfWordsAreEqualWhereverTheyStand) {
  const auto runs = [](std::string_view text) {
    std::vector<uint64_t> hashes;
    ForEachRun(Words(text), 3, [&](uint64_t hash) { hashes.push_back(hash); });
    return hashes;
  };
  EXPECT_THAT(runs("a b"), SizeIs(0));
  EXPECT_THAT(runs("a b c d e"), SizeIs(3));
  EXPECT_EQ(runs("x y z a b c").back(), runs("a b c").front());
  EXPECT_EQ(runs("a b c d")[1], runs("q r s t u b c d").back());
  EXPECT_NE(runs("a b c"), runs("a c b"));
}

TEST(ExportTextTest, LanguagesAreToldByTheirLetters) {
  EXPECT_EQ(LanguageShare("So the answer is 4.", "en"), 1.0);
  EXPECT_EQ(LanguageShare("So the answer is 4.", "zh"), 0.0);
  EXPECT_EQ(LanguageShare("答案是四", "zh"), 1.0);
  EXPECT_EQ(LanguageShare("Ответ равен двум", "ru"), 1.0);
  // Four words of Latin letters, four characters.
  EXPECT_EQ(LanguageShare("So the answer is 答案是四", "en"), 0.5);
  // Formulas, commands and single letters are of no language.
  EXPECT_EQ(LanguageShare("设 $sin(alpha) = beta$ 则 x \\frac 为", "zh"), 1.0);
  EXPECT_EQ(LanguageShare("let α be π", "en"), 1.0);
  EXPECT_EQ(LanguageShare("1 + 1 = 2", "zh"), 1.0);
  EXPECT_EQ(LanguageShare("", "en"), 1.0);
  EXPECT_EQ(LanguageShare("cost $5 in all", "en"), 1.0);
}

TEST(ExportTextTest, ParagraphsAreCountedInCharacters) {
  EXPECT_EQ(LongestParagraph(""), 0);
  EXPECT_EQ(LongestParagraph("abc"), 3);
  EXPECT_EQ(LongestParagraph("abc\nde"), 6);
  EXPECT_EQ(LongestParagraph("abc\n\nde\n \nfghi\n"), 4);
  EXPECT_EQ(LongestParagraph("天气"), 2);
}

TEST(ExportTextTest, CodeIsFencesAndLinesOfPrograms) {
  for (const std::string code :
       {"so:\n```python\nx=1\n```", "  ~~~", "def f(x):", "import numpy",
        "#include <vector>", "and\n    print(1)"}) {
    EXPECT_TRUE(HoldsCode(code)) << code;
  }
  for (const std::string prose :
       {"define f(x) = 2", "import duties are high", "we print (1) it",
        "the `x` in text", "a # include", "", "def is short for defined"}) {
    EXPECT_FALSE(HoldsCode(prose)) << prose;
  }
}

TEST(ExportTextTest, ReasoningIsWhatStandsBeforeTheAnswer) {
  EXPECT_EQ(ReasoningOf("<think>so</think><answer>4</answer>", "r1"), "so");
  EXPECT_EQ(ReasoningOf("so it is</think>4", ""), "so it is");
  EXPECT_EQ(ReasoningOf("<think>cut", "r1"), "");
  EXPECT_EQ(ReasoningOf("[3+5=8]{8}", "compact"), "3+5=8");
  EXPECT_EQ(ReasoningOf("{8}", "compact"), "");
  EXPECT_EQ(ReasoningOf("plain", ""), "");
}

}  // namespace
}  // namespace cohort
