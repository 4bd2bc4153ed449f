#include "proto/rows.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/descriptor.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temp_dir.h"

namespace cohort {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;

constexpr absl::StatusCode kWrong = absl::StatusCode::kInvalidArgument;

class RowsTest : public testing::Test {
 protected:
  absl::StatusOr<std::vector<Prompt>> Read(const std::string& content,
                                           const PromptFields& fields = {},
                                           const std::string& verifier = "") {
    file_ = dir_.Write("p.jsonl", content);
    return ReadPrompts(file_, fields, verifier);
  }

  // The only prompt of a file of one row.
  Prompt ReadOne(const std::string& row, const PromptFields& fields = {}) {
    const absl::StatusOr<std::vector<Prompt>> prompts =
        Read(row, fields, "math");
    EXPECT_THAT(prompts, IsOkAndHolds(SizeIs(1))) << row;
    return prompts.ok() && prompts->size() == 1 ? prompts->front() : Prompt();
  }

  const TempDir dir_;
  std::string file_;
};

TEST_F(RowsTest, ARowIsReadWhole) {
  const std::string row =
      R"({"id": "a", "prompt": "2+2=", "verifier": "countdown", "answer": "4",)"
      R"( "numbers": [3, -7, 9], "target": -24, "source": "us", "extra": [1]})";
  const Prompt prompt = ReadOne(row);
  EXPECT_EQ(prompt.id(), "a");
  EXPECT_EQ(prompt.text(), "2+2=");
  EXPECT_EQ(prompt.verifier(), "countdown");
  EXPECT_EQ(prompt.answer(), "4");
  EXPECT_THAT(prompt.numbers(), ElementsAre(3, -7, 9));
  EXPECT_EQ(prompt.target(), -24);
  EXPECT_EQ(prompt.source(), "us");
  EXPECT_EQ(prompt.row_json(), row);
}

TEST_F(RowsTest, IdsDefaultToFileAndLine) {
  const absl::StatusOr<std::vector<Prompt>> prompts = Read(
      "{\"prompt\": \"x\"}\n\n  \n{\"prompt\": \"y\", \"id\": 7}\n"
      "{\"prompt\": \"z\", \"id\": null}",
      {}, "math");
  COHORT_ASSERT_OK(prompts);
  ASSERT_THAT(*prompts, SizeIs(3));
  EXPECT_EQ((*prompts)[0].id(), file_ + ":1");
  EXPECT_EQ((*prompts)[1].id(), "7");
  EXPECT_EQ((*prompts)[2].id(), file_ + ":5");
}

TEST_F(RowsTest, OnlyLineFeedsEndLines) {
  const absl::StatusOr<std::vector<Prompt>> prompts = Read(
      "\xef\xbb\xbf{\"prompt\": \"a\xe2\x80\xa8\xc2\x85 b\"}\r\n"
      "\r\n{\"prompt\": \"c\"}\r\n",
      {}, "math");
  COHORT_ASSERT_OK(prompts);
  ASSERT_THAT(*prompts, SizeIs(2));
  EXPECT_EQ((*prompts)[0].text(), "a\xe2\x80\xa8\xc2\x85 b");
  EXPECT_EQ((*prompts)[1].id(), file_ + ":3");
  EXPECT_EQ((*prompts)[1].row_json(), "{\"prompt\": \"c\"}");
}

TEST_F(RowsTest, MessagesStandInForThePrompt) {
  const Prompt prompt =
      ReadOne(R"({"messages": [{"role": "system", "content": "s"},)"
              R"( {"role": "user", "content": "u"}], "prompt": null})");
  ASSERT_THAT(prompt.messages(), SizeIs(2));
  EXPECT_EQ(prompt.messages(0).role(), "system");
  EXPECT_EQ(prompt.messages(1).content(), "u");
  EXPECT_EQ(prompt.text(), "");
}

TEST_F(RowsTest, AnswersAreTextOrNumbers) {
  EXPECT_EQ(ReadOne(R"({"prompt": "p", "answer": "007"})").answer(), "007");
  EXPECT_EQ(ReadOne(R"({"prompt": "p", "answer": 42})").answer(), "42");
  EXPECT_EQ(ReadOne(R"({"prompt": "p", "answer": -0.25})").answer(), "-0.25");
  EXPECT_EQ(
      ReadOne(R"({"prompt": "p", "answer": 18446744073709551615})").answer(),
      "18446744073709551615");
  EXPECT_EQ(ReadOne(R"({"prompt": "p"})").answer(), "");
  // A double would make 10^30 of it, silently another answer.
  EXPECT_THAT(
      Read(R"({"prompt": "p", "answer": 1000000000000000000000000000001})", {},
           "math"),
      StatusIs(kWrong, HasSubstr("too large to be read exactly")));
}

// Two rows as openai/grade-school-math publishes them.
TEST_F(RowsTest, OfAGradeSchoolAnswerTheLastPartCounts) {
  const PromptFields fields = {.prompt = "question"};
  EXPECT_EQ(
      ReadOne(R"({"question": "q", "answer": "48/2 = <<48/2=24>>24\n#### 72"})",
              fields)
          .answer(),
      "72");
  EXPECT_EQ(
      ReadOne(R"({"question": "q", "answer": "a\n#### 1\n####  2,125 \n"})",
              fields)
          .answer(),
      "2,125");
}

TEST_F(RowsTest, AMappedFieldMustBeThere) {
  const PromptFields fields = {.prompt = "question", .answer = "gold"};
  EXPECT_EQ(
      ReadOne(R"({"question": "q", "gold": 3, "answer": 4})", fields).answer(),
      "3");
  EXPECT_THAT(Read("{\"question\": \"q\", \"gold\": 3}\n"
                   "{\"question\": \"q\", \"answer\": 3}",
                   fields, "math"),
              StatusIs(kWrong, absl::StrCat(file_,
                                            ":2: no field 'gold', which holds "
                                            "answer by the config")));
}

TEST_F(RowsTest, ARowNamesItsOwnVerifier) {
  const absl::StatusOr<std::vector<Prompt>> prompts =
      Read("{\"prompt\": \"x\", \"verifier\": \"chain\"}\n{\"prompt\": \"y\"}",
           {}, "math");
  COHORT_ASSERT_OK(prompts);
  EXPECT_EQ((*prompts)[0].verifier(), "chain");
  EXPECT_EQ((*prompts)[1].verifier(), "math");
}

TEST_F(RowsTest, BadRowsAreNamedByFileAndLine) {
  struct Case {
    std::string row;
    std::string message;
  };
  for (const Case& c : std::vector<Case>{
           {"not json", "not JSON"},
           {R"({"prompt": "x")", "not JSON"},
           {"{\"prompt\": \"\xff\"}", "not JSON"},
           {R"(["prompt"])", "not a JSON object but array"},
           {"{}", "no prompt: neither prompt nor messages"},
           {R"({"prompt": ""})", "no prompt: neither prompt nor messages"},
           {R"({"prompt": 3})", "field 'prompt' must be text, is number"},
           {R"({"prompt": "x", "messages": []})", "both prompt and messages"},
           {R"({"messages": []})", "field 'messages' must be a list"},
           {R"({"messages": [{"content": "x"}]})", "message 0 has no role"},
           {R"({"prompt": "x", "id": "first"})",
            "id 'first' stands in line 1 too"},
           {R"({"prompt": "x", "id": [1]})",
            "field 'id' must be text or number, is array"},
           {R"({"prompt": "x", "answer": true})",
            "field 'answer' must be text or number, is boolean"},
           {R"({"prompt": "x", "numbers": 3})",
            "field 'numbers' must be a list, is number"},
           {R"({"prompt": "x", "numbers": [1.5]})",
            "field 'numbers' must be whole number, is number"},
           {R"({"prompt": "x", "target": "7"})",
            "field 'target' must be whole number, is string"},
           {R"({"prompt": "x", "target": 9223372036854775808})",
            "field 'target' must be whole number"}}) {
    const absl::StatusOr<std::vector<Prompt>> prompts =
        Read("{\"id\": \"first\", \"prompt\": \"x\"}\n\n" + c.row + "\n", {},
             "math");
    EXPECT_THAT(
        prompts,
        StatusIs(kWrong, StartsWith(absl::StrCat(file_, ":3: ", c.message))));
  }
  EXPECT_THAT(Read(R"({"prompt": "x"})"),
              StatusIs(kWrong, absl::StrCat(file_, ":1: no verifier")));
}

TEST_F(RowsTest, MissingFilesAreNamed) {
  EXPECT_THAT(ReadPrompts("none.jsonl", {}, ""),
              StatusIs(absl::StatusCode::kNotFound,
                       "cannot open none.jsonl: No such file or directory"));
  EXPECT_THAT(ReadPrompts("rows.parquet", {}, ""),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("rows.parquet")));
  EXPECT_THAT(ReadTexts("rows.parquet", "text"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("rows.parquet")));
  EXPECT_THAT(ReadFile(dir_.path()).status(), testing::Not(IsOk()));
}

TEST_F(RowsTest, ACorpusIsAFieldOrWholeLines) {
  const std::string rows =
      dir_.Write("c.jsonl", "{\"text\": \"a\\nb\"}\n\n{\"text\": \" c\"}\n");
  EXPECT_THAT(ReadTexts(rows, "text"), IsOkAndHolds(ElementsAre("a\nb", " c")));
  EXPECT_THAT(ReadTexts(rows, "body"),
              StatusIs(kWrong, rows + ":1: no text in field 'body'"));
  const std::string lines = dir_.Write("c.txt", "a b\r\n\n {c}\nlast");
  EXPECT_THAT(ReadTexts(lines, "text"),
              IsOkAndHolds(ElementsAre("a b", " {c}", "last")));
}

// "<place>=<line>", or an error for "bad".
absl::StatusOr<std::string> Placed(std::string_view line,
                                   const std::string& place) {
  if (line == "bad") return absl::UnimplementedError("no use");
  return absl::StrCat(place, "=", std::string(line));
}

TEST_F(RowsTest, OtherRowsArePlacedByTheirLine) {
  const std::string rows = dir_.Write("r.jsonl", "a\n\n b\r\nlast");
  EXPECT_THAT(ParseRows(rows, &Placed),
              IsOkAndHolds(ElementsAre(rows + ":1=a", rows + ":3= b",
                                       rows + ":4=last")));
  const std::string bad = dir_.Write("b.jsonl", "\nbad\nb\n");
  EXPECT_THAT(ParseRows(bad, &Placed),
              StatusIs(absl::StatusCode::kUnimplemented, bad + ":2: no use"));
}

TEST_F(RowsTest, AnAtomicWriteReplacesTheWholeFile) {
  const std::string path = dir_.Write("f", "the old and longer content");
  const std::string content("new\0\n", 5);
  COHORT_EXPECT_OK(WriteFileAtomically(path, content));
  EXPECT_THAT(ReadFile(path), IsOkAndHolds(content));
  COHORT_EXPECT_OK(WriteFileAtomically(path, ""));
  EXPECT_THAT(ReadFile(path), IsOkAndHolds(IsEmpty()));
}

TEST_F(RowsTest, AFailedWriteLeavesTheOldFileAndNothingElse) {
  // A folder with an entry cannot be replaced by a file.
  const std::string path = dir_ / "folder";
  std::filesystem::create_directory(path);
  dir_.Write("folder/entry", "");
  EXPECT_THAT(std::string(WriteFileAtomically(path, "x").message()),
              AllOf(StartsWith(absl::StrCat("cannot write ", path, ": ")),
                    HasSubstr("irectory")));
  EXPECT_TRUE(std::filesystem::exists(path + "/entry"));
  EXPECT_FALSE(std::filesystem::exists(path + ".tmp"));
  EXPECT_THAT(WriteFileAtomically(dir_ / "none/f", "x"),
              StatusIs(absl::StatusCode::kNotFound,
                       HasSubstr("none/f: No such file or directory")));
}

TEST_F(RowsTest, AReadOnlyFolderIsNamed) {
  if (geteuid() == 0) GTEST_SKIP() << "root writes anywhere";
  ASSERT_EQ(chmod(dir_.path().c_str(), 0500), 0);
  EXPECT_THAT(
      WriteFileAtomically(dir_ / "f", "x"),
      StatusIs(absl::StatusCode::kPermissionDenied,
               HasSubstr(absl::StrCat(dir_ / "f", ": Permission denied"))));
  chmod(dir_.path().c_str(), 0700);
}

// The names that result files use, in the order of the messages.
TEST(VerdictTest, NamesAreThoseOfResultFiles) {
  const std::vector<std::string> names = {
      "correct",       "wrong",         "format_error",
      "undecided",     "timeout",       "resource_limit",
      "runtime_error", "compile_error", "security_violation",
      "grader_error",  "infra_error"};
  ASSERT_EQ(names.size() + 1, Verdict_ARRAYSIZE);
  for (size_t i = 0; i < names.size(); ++i) {
    const Verdict verdict = static_cast<Verdict>(i + 1);
    EXPECT_EQ(VerdictName(verdict), names[i]);
    EXPECT_EQ(ParseVerdict(names[i]), verdict);
  }
  EXPECT_EQ(ParseVerdict("Correct"), VERDICT_UNSPECIFIED);
  EXPECT_EQ(VerdictName(VERDICT_UNSPECIFIED), "unspecified");
}

// A rename would put a plain file in the place of /dev/null.
TEST(WriteOutputTest, APipeIsWrittenToAndStaysOne) {
  const TempDir dir;
  const std::string pipe = dir / "pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  const Descriptor reader(open(pipe.c_str(), O_RDONLY | O_NONBLOCK));
  ASSERT_GE(reader.get(), 0);
  EXPECT_THAT(WriteOutput(pipe, "seven\n"), IsOk());
  char buffer[16] = {};
  EXPECT_EQ(read(reader.get(), buffer, sizeof(buffer)), 6);
  EXPECT_STREQ(buffer, "seven\n");
  EXPECT_TRUE(std::filesystem::is_fifo(pipe));
}

TEST(WriteOutputTest, ALinkStaysOne) {
  const TempDir dir;
  const std::string target = dir.Write("target", "old");
  std::filesystem::create_symlink(target, dir / "link");
  EXPECT_THAT(WriteOutput(dir / "link", "new"), IsOk());
  EXPECT_TRUE(std::filesystem::is_symlink(dir / "link"));
  EXPECT_EQ(TempDir::Read(target), "new");
}

}  // namespace
}  // namespace cohort
