#include "rollout/eval_tasks.h"

#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "rollout/task_format.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temp_dir.h"

namespace cohort {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

class EvalTasksTest : public ::testing::Test {
 protected:
  absl::StatusOr<std::vector<Prompt>> Read(const std::string& format,
                                           const std::string& rows) {
    const auto found = FindTaskFormat(format);
    if (!found.ok()) return found.status();
    return ReadTasks(dir_.Write("tasks.jsonl", rows), *found, 0);
  }

  TempDir dir_;
};

TEST_F(EvalTasksTest, EveryFormatOfTheBinaryIsOne) {
  const auto formats =
      ParseTaskFormats(std::string(kTaskFormatsYaml), "task_formats.yaml");
  COHORT_ASSERT_OK(formats);
  EXPECT_GE(formats->size(), 11u);
}

// The rows have the fields of the published files.
TEST_F(EvalTasksTest, Gsm8kAsksForABoxAndHasTheGoldBehindTheMark) {
  const auto tasks =
      Read("gsm8k",
           R"({"question": "2+2?", "answer": "It is <<2+2=4>>4.\n#### 4"})");
  COHORT_ASSERT_OK(tasks);
  ASSERT_EQ(tasks->size(), 1u);
  EXPECT_THAT((*tasks)[0].text(),
              AllOf(StartsWith("2+2?\n\n"), EndsWith("\\boxed{}.")));
  EXPECT_EQ((*tasks)[0].answer(), "4");
  EXPECT_EQ((*tasks)[0].verifier(), "math");
}

TEST_F(EvalTasksTest, AimeHasWholeNumbersAndTwoSpellings) {
  auto tasks =
      Read("aime",
           R"({"id": 60, "problem": "p", "solution": "s", "answer": "204"})");
  COHORT_ASSERT_OK(tasks);
  EXPECT_EQ((*tasks)[0].id(), "60");
  EXPECT_EQ((*tasks)[0].answer(), "204");
  tasks = Read("aime_capital",
               R"({"ID": "2024-I-1", "Problem": "p", "Answer": 204})");
  COHORT_ASSERT_OK(tasks);
  EXPECT_EQ((*tasks)[0].id(), "2024-I-1");
  EXPECT_EQ((*tasks)[0].answer(), "204");
}

TEST_F(EvalTasksTest, Math500) {
  const auto tasks = Read(
      "math500",
      R"({"problem": "p", "answer": "\\frac{1}{2}", "unique_id": "test/1.json"})");
  COHORT_ASSERT_OK(tasks);
  EXPECT_EQ((*tasks)[0].id(), "test/1.json");
  EXPECT_EQ((*tasks)[0].answer(), "\\frac{1}{2}");
}

TEST_F(EvalTasksTest, CodeKeepsItsRowForTheVerifier) {
  const std::string row =
      R"({"text": "Add.", "task_id": 3, "test_list": ["assert f(1)==2", "assert f(2)==3"], "test_setup_code": ""})";
  const auto tasks = Read("mbpp", row);
  COHORT_ASSERT_OK(tasks);
  EXPECT_EQ((*tasks)[0].verifier(), "code");
  EXPECT_EQ((*tasks)[0].row_json(), row);
  EXPECT_THAT((*tasks)[0].text(),
              HasSubstr("assert f(1)==2\nassert f(2)==3\n```"));
}

TEST_F(EvalTasksTest, ABaseModelGoesOnWhereHumanEvalEnds) {
  const auto tasks = Read(
      "humaneval_base",
      R"({"task_id": "HumanEval/0", "prompt": "def f():\n", "entry_point": "f", "test": "t"})");
  COHORT_ASSERT_OK(tasks);
  EXPECT_EQ((*tasks)[0].text(), "def f():\n");
  EXPECT_THAT(FindTaskFormat("humaneval_base")->stop,
              ::testing::Contains("\ndef "));
}

TEST_F(EvalTasksTest, AMissingFieldIsNamedByLine) {
  EXPECT_THAT(
      Read("gsm8k", R"({"problem": "p", "answer": "1"})"),
      StatusIs(absl::StatusCode::kInvalidArgument,
               AllOf(HasSubstr("tasks.jsonl:1"), HasSubstr("question"))));
}

TEST_F(EvalTasksTest, AnUnknownFormatNamesTheNearest) {
  EXPECT_THAT(FindTaskFormat("humanevil"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("humaneval")));
}

TEST_F(EvalTasksTest, AFormatOfTheUsersOwn) {
  const std::string file = dir_.Write("mine.yaml",
                                      "fields: {prompt: q, answer: a}\n"
                                      "verifier: exact\n"
                                      "prompt: \"Q: {{ q }}\"\n");
  const auto tasks = Read(file, R"({"q": "x", "a": "y"})");
  COHORT_ASSERT_OK(tasks);
  EXPECT_EQ((*tasks)[0].text(), "Q: x");
  EXPECT_EQ((*tasks)[0].verifier(), "exact");
}

TEST_F(EvalTasksTest, AFormatsFlawsAreNamedByLine) {
  const auto flaw = [&](const std::string& yaml) {
    return FindTaskFormat(dir_.Write("bad.yaml", yaml)).status();
  };
  EXPECT_THAT(flaw("verifier: math\npromt: x\n"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("bad.yaml:2"), HasSubstr("promt"))));
  EXPECT_THAT(flaw("fields: {question: q}\n"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("no field 'question'")));
  EXPECT_THAT(flaw("stop: x\n"), StatusIs(absl::StatusCode::kInvalidArgument,
                                          HasSubstr("stop is not a list")));
  EXPECT_THAT(flaw("- name: a\n- name: b\n"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("holds 2 formats")));
}

TEST_F(EvalTasksTest, ATemplateThatFailsNamesThePrompt) {
  const std::string file =
      dir_.Write("mine.yaml", "verifier: exact\nprompt: \"{{ q.x.y }}\"\n");
  EXPECT_THAT(
      Read(file, R"({"id": "a7", "prompt": "x", "answer": "y"})"),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("prompt a7: ")));
}

TEST_F(EvalTasksTest, AFileWithoutTasksIsRefused) {
  EXPECT_THAT(Read("gsm8k", "\n"), StatusIs(absl::StatusCode::kInvalidArgument,
                                            HasSubstr("no tasks")));
}

TEST_F(EvalTasksTest, ChatWrapsTheTaskAndLongTasksLeave) {
  dir_.Write("chat_template.jinja",
             "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}"
             "{% if add_generation_prompt %}<assistant>{% endif %}");
  const std::unique_ptr<Tokenizer> bytes = Tokenizer::Bytes();
  auto tasks = Read(
      "cohort", R"({"id": "short", "prompt": "hi", "verifier": "exact"})"
                "\n"
                R"({"id": "long", "prompt": "hihihi", "verifier": "exact"})");
  COHORT_ASSERT_OK(tasks);
  PromptEncoder encoder(dir_.path(), bytes.get());
  EXPECT_THAT(EncodeTasks(&encoder, true, 20, &*tasks),
              IsOkAndHolds(ElementsAre("long")));
  ASSERT_EQ(tasks->size(), 1u);
  EXPECT_EQ((*tasks)[0].text(), "<user>hi<assistant>");
}

TEST_F(EvalTasksTest, ChatNeedsATemplate) {
  const std::unique_ptr<Tokenizer> bytes = Tokenizer::Bytes();
  auto tasks = Read("cohort", R"({"prompt": "hi", "verifier": "exact"})");
  COHORT_ASSERT_OK(tasks);
  PromptEncoder encoder(dir_.path(), bytes.get());
  EXPECT_THAT(EncodeTasks(&encoder, true, 20, &*tasks),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("template")));
}

}  // namespace
}  // namespace cohort
