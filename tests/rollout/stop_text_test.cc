#include "rollout/stop_text.h"

#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"

namespace cohort {
namespace {

// After how many tokens `stops` are found in `text`, one token per byte; 0:
// never.
size_t FoundAfter(const std::string& text,
                  const std::vector<std::string>& stops) {
  const std::unique_ptr<Tokenizer> tokenizer = Tokenizer::Bytes();
  StopFinder finder(tokenizer.get(), stops);
  std::vector<int32_t> tokens;
  for (const char byte : text) {
    tokens.push_back(static_cast<unsigned char>(byte));
    if (finder.Contains(tokens)) return tokens.size();
  }
  return 0;
}

TEST(StopFinderTest, FindsAStopAcrossTokensAsSoonAsItIsThere) {
  EXPECT_EQ(FoundAfter("so it ends here", {"ends"}), 10u);
  EXPECT_EQ(FoundAfter("so it ends here", {"never", "it"}), 5u);
  EXPECT_EQ(FoundAfter("aaab", {"aab"}), 4u);
  EXPECT_EQ(FoundAfter("so it ends", {"end of"}), 0u);
}

TEST(StopFinderTest, FindsCharactersOfSeveralTokens) {
  EXPECT_EQ(FoundAfter("1 \xE2\x82\xAC 2", {"\xE2\x82\xAC"}), 5u);
  EXPECT_EQ(FoundAfter("\xE2\x82\xAC end", {"end"}), 7u);
}

TEST(StopFinderTest, BrokenCharactersHideNothing) {
  EXPECT_EQ(FoundAfter("\xE2\xE2\xE2 stop", {"stop"}), 8u);
  std::string broken(50, '\xFF');
  broken.append("stop");
  EXPECT_EQ(FoundAfter(broken, {"stop"}), 54u);
}

TEST(FindStopTest, TheFirstOfAllCounts) {
  EXPECT_EQ(FindStop("a b c", {"c", "b"}), 2u);
  EXPECT_EQ(FindStop("a b c", {"d"}), std::string::npos);
}

}  // namespace
}  // namespace cohort
