// What must hold for every answer, not only for those of a table: generated
// pairs come out as they were made, and a new spelling changes no verdict.
#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "rewards/maths/answers.h"
#include "tests/rewards/maths/pairs.h"
#include "tests/testing/status_matchers.h"

namespace cohort {
namespace {

// Sanitizers make each pair twenty times as slow.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kPairs = 3000;
#else
constexpr int kPairs = 100000;
#endif

Verdict VerdictOf(const std::string& gold, const std::string& prediction) {
  const MathPolicy policy;
  const auto read = ReadGold(gold, ANSWER_FORM_BARE, policy);
  COHORT_EXPECT_OK(read) << gold;
  if (!read.ok()) return VERDICT_GRADER_ERROR;
  return GradePrediction(*read, prediction, ANSWER_FORM_BARE, policy).verdict();
}

TEST(MathPropertyTest, GeneratedPairsComeOutAsTheyWereMade) {
  MathPairMaker maker(20240817);
  const auto& families = MathPairMaker::Families();
  std::map<std::string, int> undecided;
  int all_undecided = 0;
  for (int i = 0; i < kPairs; ++i) {
    const auto& family = families[static_cast<size_t>(i) % families.size()];
    const MathPair pair = (maker.*family.make)();
    const Verdict verdict = VerdictOf(pair.gold, pair.prediction);
    if (verdict == VERDICT_UNDECIDED) {
      ++undecided[family.name];
      ++all_undecided;
      continue;
    }
    EXPECT_EQ(verdict == VERDICT_CORRECT, pair.equal)
        << family.name << ": " << pair.gold << " | " << pair.prediction;
  }
  EXPECT_LE(all_undecided, kPairs / 100) << testing::PrintToString(undecided);
}

// Ways to write the same text. Each takes LaTeX to LaTeX.
std::string Replaced(std::string text, const std::string& from,
                     const std::string& to) {
  for (size_t at = text.find(from); at != std::string::npos;
       at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
  return text;
}

std::vector<std::string> Respelled(const std::string& text) {
  const std::string fractions = Replaced(text, "\\frac", "\\dfrac");
  const std::string big = Replaced(
      Replaced(Replaced(text, "\\left", ""), "\\right", ""), "(", "\\left(");
  const bool mixed_brackets = text.find('[') != std::string::npos;
  std::vector<std::string> all = {
      " " + text + " ",
      "$" + text + "$",
      "\\(" + text + "\\)",
      "{" + text + "}",
      "\\displaystyle " + text,
      fractions,
      Replaced(text, "-", "\u2212"),
      Replaced(Replaced(text, "+", " + "), "=", " = "),
      Replaced(text, "\\cdot", "\\times"),
      Replaced(text, ",", ",\\ "),
  };
  if (!mixed_brackets) all.push_back(Replaced(big, ")", "\\right)"));
  return all;
}

TEST(MathPropertyTest, ANewSpellingChangesNoVerdict) {
  MathPairMaker maker(7);
  for (const auto& family : MathPairMaker::Families()) {
    const std::string name = family.name;
    // There the comma is part of the number, the letter is all there is.
    if (name == "decimals" || name == "words" || name == "options") continue;
    for (int i = 0; i < 20; ++i) {
      const MathPair pair = (maker.*family.make)();
      const Verdict verdict = VerdictOf(pair.gold, pair.prediction);
      for (const std::string& again : Respelled(pair.prediction)) {
        EXPECT_EQ(VerdictOf(pair.gold, again), verdict)
            << name << ": " << pair.gold << " | " << again;
      }
      for (const std::string& again : Respelled(pair.gold)) {
        EXPECT_EQ(VerdictOf(again, pair.prediction), verdict)
            << name << ": " << again << " | " << pair.prediction;
      }
    }
  }
}

TEST(MathPropertyTest, GoldAndPredictionMayChangePlaces) {
  MathPairMaker maker(11);
  for (const auto& family : MathPairMaker::Families()) {
    const std::string name = family.name;
    // A hedge is no gold, and an option with its text is none either.
    if (name == "options" || name == "hedges") continue;
    for (int i = 0; i < 20; ++i) {
      const MathPair pair = (maker.*family.make)();
      EXPECT_EQ(VerdictOf(pair.gold, pair.prediction),
                VerdictOf(pair.prediction, pair.gold))
          << name << ": " << pair.gold << " | " << pair.prediction;
    }
  }
}

TEST(MathPropertyTest, EveryAnswerIsEqualToItself) {
  MathPairMaker maker(13);
  for (const auto& family : MathPairMaker::Families()) {
    for (int i = 0; i < 20; ++i) {
      const MathPair pair = (maker.*family.make)();
      EXPECT_EQ(VerdictOf(pair.gold, pair.gold), VERDICT_CORRECT) << pair.gold;
    }
  }
}

}  // namespace
}  // namespace cohort
