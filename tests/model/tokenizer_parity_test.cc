// Tokenizers trained like the published ones, and every component alone,
// against what the tokenizers library 0.23.3 makes of the same texts
// (scripts/make_goldens/tokenizer_*.py).
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "model/tokenizer.h"
#include "model/utf8.h"
#include "tests/testing/temp_dir.h"
#include "tests/testing/tokenizer_cases.h"

namespace cohort {
namespace {

using nlohmann::json;

constexpr char kFolder[] = "tests/data/tokenizers";

// The folders with cases, and those below $COHORT_TOKENIZERS: for vocabularies
// that are too large to lie here.
std::vector<std::string> Folders() {
  std::vector<std::string> folders;
  const char* const more = std::getenv("COHORT_TOKENIZERS");
  for (const std::string& parent :
       {std::string(kFolder), std::string(more == nullptr ? "" : more)}) {
    if (parent.empty()) continue;
    for (const auto& entry : std::filesystem::directory_iterator(parent)) {
      if (std::filesystem::exists(entry.path() / "tokenizer.json") &&
          std::filesystem::exists(entry.path() / "cases.json")) {
        folders.push_back(entry.path().string());
      }
    }
  }
  return folders;
}

std::string FromHex(const std::string& hex) {
  std::string bytes;
  for (size_t i = 0; i < hex.size(); i += 2) {
    bytes.push_back(
        static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}

void CheckPartialCharacters(const Tokenizer& tokenizer, const json& c) {
  const std::vector<int32_t> ids = c["ids"];
  CheckTokenizerCase(tokenizer,
                     {{"text", c["text"]},
                      {"ids", c["ids"]},
                      {"steps", c["decode_stream_steps"]},
                      {"decoded", c["prefix_decoded"].back()},
                      {"ids_with_special",
                       *tokenizer.Encode(c["text"].get<std::string>(), true)}});
  const absl::Span<const int32_t> all(ids);
  for (size_t i = 0; i < ids.size(); ++i) {
    EXPECT_EQ(tokenizer.Decode(all.first(i + 1), false),
              c["prefix_decoded"][i]);
    if (i + 1 == ids.size()) continue;
    EXPECT_EQ(tokenizer.Decode(all.subspan(i + 1), false),
              c["suffix_decoded"][i]);
  }
}

TEST(TokenizerParityTest, EqualsTheLibraryOnWholeTokenizers) {
  const std::vector<std::string> folders = Folders();
  ASSERT_GE(folders.size(), 7u);
  for (const std::string& folder : folders) {
    SCOPED_TRACE(folder);
    const auto tokenizer = Tokenizer::Load(folder);
    COHORT_ASSERT_OK(tokenizer);
    const json golden = json::parse(TempDir::Read(folder + "/cases.json"));
    for (const json& c : golden["cases"]) CheckTokenizerCase(**tokenizer, c);
    for (const json& c : golden["random_ids"]) {
      CheckTokenizerCase(**tokenizer, c);
    }
    for (const json& c : golden["partial_utf8"]) {
      CheckPartialCharacters(**tokenizer, c);
    }
    // As Python decodes with errors="replace".
    for (const json& c : golden["invalid_utf8"]) {
      const std::string text = ToValidUtf8(FromHex(c["bytes_hex"]));
      EXPECT_EQ(text, c["text"]);
      const std::vector<int32_t> ids = c["ids"];
      EXPECT_THAT((*tokenizer)->Encode(text),
                  IsOkAndHolds(testing::ElementsAreArray(ids)));
    }
  }
}

TEST(TokenizerParityTest, EqualsTheLibraryOnEveryComponent) {
  const json golden =
      json::parse(TempDir::Read(std::string(kFolder) + "/parts.json"));
  ASSERT_GE(golden["variants"].size(), 90u);
  CheckTokenizerVariants(golden);
}

}  // namespace
}  // namespace cohort
