#include "proto/pass_at_k.h"

#include <cmath>
#include <optional>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cohort {
namespace {

// Counts the draws themselves: every set of k out of n completions, of which
// the first c are correct.
double ShareOfDrawsWithACorrectOne(int n, int c, int k) {
  int64_t draws = 0;
  int64_t passed = 0;
  for (int set = 0; set < (1 << n); ++set) {
    if (__builtin_popcount(static_cast<unsigned>(set)) != k) continue;
    ++draws;
    if ((set & ((1 << c) - 1)) != 0) ++passed;
  }
  return static_cast<double>(passed) / static_cast<double>(draws);
}

TEST(PassAtKTest, IsTheShareOfDrawsThatHoldACorrectOne) {
  for (int n = 1; n <= 10; ++n) {
    for (int c = 0; c <= n; ++c) {
      for (int k = 1; k <= n; ++k) {
        EXPECT_NEAR(PassAtK(n, c, k), ShareOfDrawsWithACorrectOne(n, c, k),
                    1e-12)
            << "n=" << n << " c=" << c << " k=" << k;
      }
    }
  }
}

TEST(PassAtKTest, OfOneDrawIsTheMean) {
  EXPECT_DOUBLE_EQ(PassAtK(64, 16, 1), 0.25);
}

// C(200000, 100000) is far beyond a double.
TEST(PassAtKTest, ManyCompletionsDoNotOverflow) {
  const double value = PassAtK(200000, 1, 100000);
  EXPECT_NEAR(value, 0.5, 1e-9);
}

TEST(PassAtKDeathTest, MoreDrawsThanCompletionsIsABrokenInvariant) {
  EXPECT_DEATH((void)PassAtK(4, 1, 5), "");
}

TEST(MajorityVoteTest, TheLargestClassWins) {
  EXPECT_EQ(MajorityVote(std::vector<int32_t>{0, 1, 2, 1, 0, 1}), 1);
}

TEST(MajorityVoteTest, OfTwoEqualClassesTheFirstToComeWins) {
  EXPECT_EQ(MajorityVote(std::vector<int32_t>{-1, 1, 0, 0, 1}), 1);
}

TEST(MajorityVoteTest, WithoutAnswersNobodyWins) {
  EXPECT_EQ(MajorityVote(std::vector<int32_t>{-1, -1}), std::nullopt);
  EXPECT_EQ(MajorityVote(std::vector<int32_t>{}), std::nullopt);
}

}  // namespace
}  // namespace cohort
