#include "rollout/random.h"

#include <array>
#include <set>
#include <string>

#include "gmock/gmock.h"
#include "xxhash.h"

namespace cohort {
namespace {

using testing::ElementsAre;

Occurrence MakeOccurrence(const std::string& stage, const std::string& id,
                          int64_t number) {
  Occurrence occurrence;
  occurrence.set_stage(stage);
  occurrence.set_prompt_id(id);
  occurrence.set_occurrence(number);
  return occurrence;
}

// Known answers of Random123 1.14, tests/kat_vectors, "philox4x32 10".
TEST(PhiloxTest, GivesThePublishedAnswers) {
  EXPECT_THAT(Philox({0, 0, 0, 0}, {0, 0}),
              ElementsAre(0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8));
  EXPECT_THAT(Philox({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
                     {0xffffffff, 0xffffffff}),
              ElementsAre(0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd));
  EXPECT_THAT(Philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
                     {0xa4093822, 0x299f31d0}),
              ElementsAre(0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1));
}

TEST(TokenRandomTest, EveryPartOfTheKeyCounts) {
  const auto draw = [](uint64_t seed, const Occurrence& occurrence, int member,
                       int64_t index) {
    return TokenRandom(seed, occurrence, member).Uniform(index);
  };
  const std::set<double> draws = {
      draw(1, MakeOccurrence("rl", "p", 0), 0, 0),
      draw(2, MakeOccurrence("rl", "p", 0), 0, 0),
      draw(1, MakeOccurrence("sft", "p", 0), 0, 0),
      draw(1, MakeOccurrence("rl", "q", 0), 0, 0),
      draw(1, MakeOccurrence("rl", "p", 1), 0, 0),
      draw(1, MakeOccurrence("rl", "p", 0), 1, 0),
      draw(1, MakeOccurrence("rl", "p", 0), 0, 1),
      // The same letters, split otherwise.
      draw(1, MakeOccurrence("r", "lp", 0), 0, 0),
      // Beyond 32 bits.
      draw(1, MakeOccurrence("rl", "p", 0), 0, int64_t{1} << 32),
  };
  EXPECT_EQ(draws.size(), 9u);
}

TEST(TokenRandomTest, IsAFunctionOfKeyAndIndexAlone) {
  const TokenRandom random(7, MakeOccurrence("rl", "p", 3), 5);
  const double fifth = random.Uniform(5);
  random.Uniform(6);
  EXPECT_EQ(random.Uniform(5), fifth);
  EXPECT_EQ(TokenRandom(7, MakeOccurrence("rl", "p", 3), 5).Uniform(5), fifth);
}

// The layout of the key is part of every stored run: seed 1, stage "rl", prompt
// "p", occurrence 2, member 3, as little-endian 64-bit numbers.
TEST(TokenRandomTest, TheKeyIsXxh3OfTheDocumentedBytes) {
  const std::string bytes =
      std::string("\1\0\0\0\0\0\0\0", 8) + std::string("\2\0\0\0\0\0\0\0", 8) +
      "rl" + std::string("\1\0\0\0\0\0\0\0", 8) + "p" +
      std::string("\2\0\0\0\0\0\0\0", 8) + std::string("\3\0\0\0\0\0\0\0", 8);
  const uint64_t key = XXH3_64bits(bytes.data(), bytes.size());
  const auto bits = Philox({9, 0, 0, 0}, {static_cast<uint32_t>(key),
                                          static_cast<uint32_t>(key >> 32)});
  const uint64_t all = (uint64_t{bits[1]} << 32) | bits[0];
  EXPECT_EQ(TokenRandom(1, MakeOccurrence("rl", "p", 2), 3).Uniform(9),
            static_cast<double>(all >> 11) / 9007199254740992.0);
}

TEST(TokenRandomTest, NumbersAreUniformInTheUnitInterval) {
  constexpr int kDraws = 64000;
  constexpr int kBins = 64;
  std::array<int, kBins> counts = {};
  for (int member = 0; member < 64; ++member) {
    const TokenRandom random(11, MakeOccurrence("rl", "p", 0), member);
    for (int i = 0; i < kDraws / 64; ++i) {
      const double u = random.Uniform(i);
      ASSERT_GE(u, 0.0);
      ASSERT_LT(u, 1.0);
      ++counts[static_cast<size_t>(u * kBins)];
    }
  }
  double chi_squared = 0;
  for (const int count : counts) {
    const double gap = count - kDraws / kBins;
    chi_squared += gap * gap / (kDraws / kBins);
  }
  // 63 degrees of freedom: 103.4 is passed once in a thousand.
  EXPECT_LT(chi_squared, 103.4);
}

}  // namespace
}  // namespace cohort
