#include "learner/decontamination.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "learner/export_text.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temp_dir.h"

namespace cohort {
namespace {

using ::testing::HasSubstr;

class DecontaminationTest : public testing::Test {
 protected:
  bool Holds(const Decontamination& tests, std::string_view text) {
    std::vector<uint64_t> words;
    AppendWords(text, &words);
    return tests.Holds(words);
  }

  Decontamination Load(const std::string& name, const std::string& content) {
    auto tests = Decontamination::Load({dir_.Write(name, content)}, 10);
    EXPECT_THAT(tests, IsOk());
    return tests.ok() ? *std::move(tests) : Decontamination();
  }

  const TempDir dir_;
};

TEST_F(DecontaminationTest, ARunOfTenWordsIsEnoughAndNineAreNot) {
  const Decontamination tests = Load(
      "t.jsonl",
      R"({"question": "one two three four five six seven eight nine ten eleven"})"
      "\n");
  EXPECT_TRUE(Holds(tests,
                    "It says: Two, three, four - five six seven eight nine "
                    "TEN eleven; and"));
  EXPECT_FALSE(Holds(tests, "two three four five six seven eight nine ten"));
  EXPECT_FALSE(Holds(tests, ""));
}

TEST_F(DecontaminationTest, AShortPromptIsLookedForWhole) {
  const Decontamination tests =
      Load("t.jsonl",
           R"({"prompt": "What is 17*23?", "answer": "it is three", "id": "x"})"
           "\n");
  EXPECT_TRUE(Holds(tests, "Q: what is 17 * 23? A: 391"));
  EXPECT_FALSE(Holds(tests, "Q: what is 17 + 23? A: 40"));
  EXPECT_FALSE(Holds(tests, "what is 17"));
  EXPECT_FALSE(
      Holds(tests, "so it is three"));  // An answer may stand anywhere.
}

TEST_F(DecontaminationTest, MessagesSolutionsAndLinesCount) {
  const std::string solution =
      "first add the two numbers and then take the root of it";
  EXPECT_TRUE(Holds(
      Load("m.jsonl", absl::StrCat(R"({"messages": [{"role": "user", )"
                                   R"("content": "Name a prime number"}]})"
                                   "\n{\"solution\": \"",
                                   solution, "\"}\n")),
      "please name a prime number"));
  EXPECT_TRUE(Holds(
      Load("s.jsonl", absl::StrCat("{\"solution\": \"", solution, "\"}\n")),
      solution));
  EXPECT_TRUE(Holds(Load("l.txt", solution + "\n"), solution));
}

TEST_F(DecontaminationTest, BadFilesAreNamed) {
  EXPECT_THAT(Decontamination::Load({dir_ / "none.jsonl"}, 10),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("none.jsonl")));
  EXPECT_THAT(
      Decontamination::Load({dir_.Write("b.jsonl", "{\"a\": 1}\nnonsense\n")},
                            10),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("b.jsonl:2: ")));
  EXPECT_THAT(
      Decontamination::Load({dir_.Write("e.jsonl", "{\"id\": \"x\"}\n")}, 10),
      StatusIs(absl::StatusCode::kInvalidArgument,
               HasSubstr("e.jsonl: no text to look for")));
}

}  // namespace
}  // namespace cohort
