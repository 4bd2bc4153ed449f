#include "model/tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "tests/testing/status_matchers.h"
#include "tests/testing/temp_dir.h"

namespace cohort {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// One token per character, as scripts/char_model.py writes it.
json GoodFile() {
  return json::parse(R"({
    "version": "1.0", "truncation": null, "padding": null,
    "added_tokens": [
      {"id": 0, "content": "_", "single_word": false, "lstrip": false,
       "rstrip": false, "normalized": false, "special": true},
      {"id": 5, "content": "<end>", "single_word": false, "lstrip": false,
       "rstrip": false, "normalized": false, "special": true},
      {"id": 6, "content": "ab", "single_word": false, "lstrip": false,
       "rstrip": false, "normalized": true, "special": false}],
    "normalizer": null, "pre_tokenizer": null, "post_processor": null,
    "decoder": {"type": "Fuse"},
    "model": {"type": "BPE", "dropout": null, "unk_token": null,
      "continuing_subword_prefix": null, "end_of_word_suffix": null,
      "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
      "vocab": {"_": 0, "a": 1, "b": 2, "é": 3, "<": 4}, "merges": []}})");
}

absl::StatusOr<std::unique_ptr<Tokenizer>> Parse(const json& file) {
  return Tokenizer::Parse(file.dump(), "", "t.json");
}

TEST(TokenizerTest, EveryCharacterIsItsToken) {
  const auto tokenizer = Parse(GoodFile());
  COHORT_ASSERT_OK(tokenizer);
  EXPECT_THAT((*tokenizer)->Encode("aébb<"),
              IsOkAndHolds(ElementsAre(1, 3, 2, 2, 4)));
  EXPECT_THAT((*tokenizer)->Encode(""), IsOkAndHolds(IsEmpty()));
  EXPECT_EQ((*tokenizer)->vocab_size(), 7);
}

TEST(TokenizerTest, AddedTokensAreFoundAsWholes) {
  const auto tokenizer = Parse(GoodFile());
  COHORT_ASSERT_OK(tokenizer);
  EXPECT_THAT((*tokenizer)->Encode("b<end>ab_<a"),
              IsOkAndHolds(ElementsAre(2, 5, 6, 0, 4, 1)));
}

TEST(TokenizerTest, DecodesAndSkipsSpecialTokens) {
  const auto tokenizer = Parse(GoodFile());
  COHORT_ASSERT_OK(tokenizer);
  const std::vector<int32_t> ids = {1, 3, 5, 6};
  EXPECT_EQ((*tokenizer)->Decode(ids, false), "aé<end>ab");
  EXPECT_EQ((*tokenizer)->Decode(ids, true), "aéab");
  // As in the tokenizers library, ids without a token are left out.
  EXPECT_EQ((*tokenizer)->Decode({1, 99, -1, 2}, false), "ab");
}

// Cases made by the tokenizers library (scripts/make_goldens).
TEST(TokenizerTest, EqualsTheTokenizersLibrary) {
  const std::string folder = "tests/data/char_tokenizer";
  const auto tokenizer = Tokenizer::Load(folder);
  COHORT_ASSERT_OK(tokenizer);
  const json golden = json::parse(TempDir::Read(folder + "/cases.json"));
  ASSERT_GT(golden["cases"].size(), 60u);
  for (const json& c : golden["cases"]) {
    const std::vector<int32_t> ids = c["ids"];
    EXPECT_THAT((*tokenizer)->Encode(c["text"].get<std::string>()),
                IsOkAndHolds(testing::ElementsAreArray(ids)))
        << c["text"];
    EXPECT_EQ((*tokenizer)->Decode(ids, false), c["decoded"]);
    EXPECT_EQ((*tokenizer)->Decode(ids, true), c["decoded_without_special"]);
  }
}

TEST(TokenizerTest, TextWithoutATokenIsNamed) {
  const auto tokenizer = Parse(GoodFile());
  COHORT_ASSERT_OK(tokenizer);
  EXPECT_THAT((*tokenizer)->Encode("abß"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("t.json: no token for \"ß\"")));
  EXPECT_THAT(
      (*tokenizer)->Encode("a\xff"),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("not UTF-8")));
}

TEST(TokenizerTest, AnUnknownTokenStandsForTheRest) {
  json file = GoodFile();
  file["model"]["unk_token"] = "_";
  auto tokenizer = Parse(file);
  COHORT_ASSERT_OK(tokenizer);
  EXPECT_THAT((*tokenizer)->Encode("axya"),
              IsOkAndHolds(ElementsAre(1, 0, 0, 1)));
  file["model"]["fuse_unk"] = true;
  tokenizer = Parse(file);
  COHORT_ASSERT_OK(tokenizer);
  EXPECT_THAT((*tokenizer)->Encode("axya"), IsOkAndHolds(ElementsAre(1, 0, 1)));
}

// The tokenizers library joins with spaces where there is no decoder.
TEST(TokenizerTest, WithoutADecoderTokensAreJoinedBySpaces) {
  json file = GoodFile();
  file["decoder"] = nullptr;
  const auto tokenizer = Parse(file);
  COHORT_ASSERT_OK(tokenizer);
  EXPECT_EQ((*tokenizer)->Decode({1, 2}, false), "a b");
}

TEST(TokenizerTest, EqualHashesMeanEqualTokens) {
  const auto a = Parse(GoodFile());
  const auto b = Parse(GoodFile());
  json file = GoodFile();
  file["model"]["vocab"].erase("<");
  file["model"]["vocab"]["z"] = 4;
  const auto c = Parse(file);
  COHORT_ASSERT_OK(c);
  EXPECT_EQ((*a)->hash(), (*b)->hash());
  EXPECT_NE((*a)->hash(), (*c)->hash());
  EXPECT_NE((*a)->hash(), Tokenizer::Bytes()->hash());
  file = GoodFile();
  file["normalizer"] = {{"type", "NFC"}};
  EXPECT_NE((*a)->hash(), (*Parse(file))->hash());
}

std::string RandomLetters(size_t count) {
  std::string letters;
  uint32_t draw = 1;
  for (size_t i = 0; i < count; ++i) {
    draw = draw * 1664525 + 1013904223;
    letters.push_back(static_cast<char>('a' + (draw >> 16) % 26));
  }
  return letters;
}

// Merges that all overlap, a run of spaces that several alternatives of the
// pattern look at, and a word of which no two parts are alike.
TEST(TokenizerTest, AMegabyteWithoutABreakIsNoProblem) {
  constexpr size_t kBytes = 1000000;
  const auto tokenizer = Tokenizer::Load("tests/data/tokenizers/small_qwen2");
  COHORT_ASSERT_OK(tokenizer);
  for (const std::string& text :
       {std::string(kBytes, 'a'), std::string(kBytes, ' '),
        RandomLetters(kBytes)}) {
    const auto ids = (*tokenizer)->Encode(text);
    COHORT_ASSERT_OK(ids);
    EXPECT_EQ((*tokenizer)->Decode(*ids, false), text);
  }
}

// A cache that mixed up words, or one that two threads wrote to, would show.
TEST(TokenizerTest, ThreadsEncodeAtTheSameTime) {
  const auto tokenizer = Tokenizer::Load("tests/data/tokenizers/small_qwen2");
  COHORT_ASSERT_OK(tokenizer);
  const std::string text = "the cats and 12 dogs; they're ok. \u4f60\u597d";
  const std::vector<int32_t> expected = *(*tokenizer)->Encode(text);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 200; ++i) {
        EXPECT_THAT((*tokenizer)->Encode(text),
                    IsOkAndHolds(testing::ElementsAreArray(expected)));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(BytesTest, IdsAreBytes) {
  const auto tokenizer = Tokenizer::Bytes();
  EXPECT_THAT(tokenizer->Encode("A\n\xff"),
              IsOkAndHolds(ElementsAre(65, 10, 255)));
  EXPECT_EQ(tokenizer->Decode({0xC3, 0xA9, 33}, false), "é!");
  EXPECT_EQ(tokenizer->vocab_size(), 256);
}

// Unicode 15, table 3-8: each maximal ill-formed part is one U+FFFD.
TEST(BytesTest, BytesThatAreNoTextBecomeReplacements) {
  const auto tokenizer = Tokenizer::Bytes();
  EXPECT_EQ(tokenizer->Decode({0x61, 0xF1, 0x80, 0x80, 0xE1, 0x80, 0xC2, 0x62,
                               0x80, 0x63, 0x80, 0xBF, 0x64},
                              false),
            "a\uFFFD\uFFFD\uFFFDb\uFFFDc\uFFFD\uFFFDd");
  EXPECT_EQ(tokenizer->Decode({300, 0xED, 0xA0, 0x80}, false),
            "\uFFFD\uFFFD\uFFFD");
}

}  // namespace
}  // namespace cohort
