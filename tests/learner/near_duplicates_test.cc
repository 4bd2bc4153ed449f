#include "learner/near_duplicates.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <random>
#include <set>
#include <vector>

#include "gtest/gtest.h"

namespace cohort {
namespace {

using Match = SeenCompletions::Match;
using Words = std::vector<uint64_t>;

Words RandomWords(size_t count, std::mt19937_64* random) {
  Words words(count);
  for (uint64_t& word : words) word = (*random)();
  return words;
}

// The definition: shared runs of 5 words over all of them.
double Jaccard(const Words& a, const Words& b) {
  const auto runs = [](const Words& words) {
    std::set<Words> set;
    for (size_t i = 0; i + 5 <= words.size(); ++i) {
      set.insert(Words(words.begin() + i, words.begin() + i + 5));
    }
    return set;
  };
  const std::set<Words> of_a = runs(a);
  const std::set<Words> of_b = runs(b);
  std::vector<Words> both;
  std::set_intersection(of_a.begin(), of_a.end(), of_b.begin(), of_b.end(),
                        std::back_inserter(both));
  const double shared = static_cast<double>(both.size());
  return shared / (static_cast<double>(of_a.size() + of_b.size()) - shared);
}

// A bit agrees with probability (1 + J) / 2, so the estimate from 128 of them
// has a deviation of at most 1 / sqrt(128) = 0.088; texts of fewer runs than
// bins share minima between bins and deviate more.
TEST(NearDuplicatesTest, SimilarityEstimatesJaccard) {
  std::mt19937_64 random(1);
  const struct {
    size_t words;
    double deviation;
  } cases[] = {{30, 0.16}, {100, 0.13}, {600, 0.1}};
  for (const auto& [count, deviation] : cases) {
    for (const size_t changed : {size_t{0}, count / 50, count / 10, count}) {
      double error = 0;
      double squares = 0;
      constexpr int kTrials = 50;
      for (int trial = 0; trial < kTrials; ++trial) {
        const Words a = RandomWords(count, &random);
        Words b = a;
        for (size_t i = 0; i < changed; ++i) b[random() % count] = random();
        const double off =
            Similarity(MinHashOf(a), MinHashOf(b)) - Jaccard(a, b);
        error += off / kTrials;
        squares += off * off / kTrials;
      }
      // The mean of all trials: three deviations.
      EXPECT_LT(std::abs(error), 3 * deviation / std::sqrt(kTrials))
          << count << " " << changed;
      EXPECT_LT(std::sqrt(squares), deviation) << count << " " << changed;
    }
  }
}

TEST(NearDuplicatesTest, ShortTextsAreComparedWhole) {
  EXPECT_EQ(Similarity(MinHashOf({1, 2}), MinHashOf({1, 2})), 1.0);
  EXPECT_LT(Similarity(MinHashOf({1, 2}), MinHashOf({1, 3})), 0.5);
  EXPECT_EQ(Similarity(MinHashOf({}), MinHashOf({})), 1.0);
}

TEST(NearDuplicatesTest, OnlyCompletionsOfOnePromptAreCompared) {
  std::mt19937_64 random(2);
  const Words words = RandomWords(200, &random);
  Words close = words;
  close[100] = 7;
  const SeenCompletion kept{1, 10, MinHashOf(words)};
  SeenCompletions seen;
  EXPECT_EQ(seen.Find(kept, 0.8), Match::kNew);
  seen.Add(kept);
  EXPECT_EQ(seen.Find(kept, 0.8), Match::kExact);
  EXPECT_EQ(seen.Find({1, 11, MinHashOf(close)}, 0.8), Match::kNear);
  EXPECT_EQ(seen.Find({1, 11, MinHashOf(close)}, 2.0), Match::kNew);
  EXPECT_EQ(seen.Find({1, 12, MinHashOf(RandomWords(200, &random))}, 0.8),
            Match::kNew);
  EXPECT_EQ(seen.Find({2, 10, MinHashOf(words)}, 0.8), Match::kNew);
}

TEST(NearDuplicatesTest, CompletionsOfAPromptAreCounted) {
  SeenCompletions seen;
  for (uint32_t i = 0; i < 5; ++i) seen.Add({i % 2, i, {}});
  EXPECT_EQ(seen.CountOf(0, 9), 3);
  EXPECT_EQ(seen.CountOf(1, 9), 2);
  EXPECT_EQ(seen.CountOf(0, 1), 1);
  EXPECT_EQ(seen.CountOf(7, 9), 0);
  EXPECT_EQ(seen.size(), 5);
}

}  // namespace
}  // namespace cohort
