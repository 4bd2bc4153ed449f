// Random texts under every component of tokenizer.json, tokenized by the
// tokenizers library itself; skipped where the environment lacks it.
#include <gtest/gtest.h>

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>

#include "tests/testing/temp_dir.h"
#include "tests/testing/tokenizer_cases.h"

namespace cohort {
namespace {

TEST(TokenizersLibraryTest, MakesTheSameOfRandomTexts) {
  const std::string python = COHORT_PYTHON;
  if (std::system((python + " -c 'import tokenizers' 2>/dev/null").c_str()) !=
      0) {
    GTEST_SKIP() << "no tokenizers in " << python;
  }
  const TempDir folder;
  // Other texts than those of tests/data/tokenizers/parts.json.
  const std::string command = python +
                              " scripts/make_goldens/tokenizer_parts.py "
                              "--seed 1 --texts 30 >" +
                              (folder / "parts.json");
  ASSERT_EQ(std::system(command.c_str()), 0);
  const nlohmann::json golden =
      nlohmann::json::parse(TempDir::Read(folder / "parts.json"));
  ASSERT_GE(golden["variants"].size(), 90u);
  CheckTokenizerVariants(golden);
}

}  // namespace
}  // namespace cohort
