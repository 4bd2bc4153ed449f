#include "learner/export_verb.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "learner/advantage.h"
#include "learner/experience_store.h"
#include "learner/exporter.h"
#include "nlohmann/json.hpp"
#include "proto/parquet.h"
#include "tests/learner/sample_groups.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temp_dir.h"

namespace cohort {
namespace {

using Json = nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

// SQLite's own files beside the store grow to 32 KiB.
constexpr rlim_t kLeastLimit = 40'000;

class ExportVerbTest : public testing::Test {
 protected:
  void SetUp() override {
    dir_.Write("config.yaml",
               "run: {seed: 5}\n"
               "model: {checkpoint: some/folder}\n"
               "rollout: {temperature: 0.9, group_size: 3}\n"
               "stages:\n"
               "  - {kind: rl, name: rl, steps: 3}\n");
    flags_.run_dir = dir_.path();
    flags_.output = dir_ / "out.jsonl";
  }

  // One group of a prompt, with these completions; the first is correct.
  Group MakeTexts(const std::string& id, const std::vector<std::string>& texts,
                  int64_t occurrence = 0) {
    Group group =
        MakeGroup(MakeLease(id, occurrence, static_cast<int>(texts.size())), 4);
    group.mutable_prompt()->set_text("prompt of " + id);
    for (size_t i = 0; i < texts.size(); ++i) {
      group.mutable_trajectories(static_cast<int>(i))->set_text(texts[i]);
    }
    SetRewards({}, &group);
    return group;
  }

  void Store(const std::vector<Group>& groups) {
    auto store = ExperienceStore::Open(dir_ / "experience.sqlite");
    COHORT_ASSERT_OK(store);
    for (const Group& group : groups) {
      COHORT_ASSERT_OK((*store)->Append(group));
    }
  }

  void Change(const std::function<absl::Status(ExperienceStore*)>& change) {
    auto store = ExperienceStore::Open(dir_ / "experience.sqlite");
    COHORT_ASSERT_OK(store);
    COHORT_ASSERT_OK(change(store->get()));
  }

  std::vector<Json> Rows() {
    COHORT_EXPECT_OK(Export(flags_));
    std::vector<Json> rows;
    std::ifstream file(flags_.output);
    for (std::string line; std::getline(file, line);) {
      rows.push_back(Json::parse(line));
    }
    return rows;
  }

  // What the rows' completions are, in order.
  std::vector<std::string> Texts() {
    std::vector<std::string> texts;
    for (const Json& row : Rows()) {
      texts.push_back(row["messages"].back()["content"].get<std::string>());
    }
    return texts;
  }

  // Exports in a process that the kernel kills when a file grows past `limit`.
  bool IsKilledAt(rlim_t limit) {
    const pid_t child = fork();
    if (child == 0) {
      const rlimit bytes = {limit, limit};
      setrlimit(RLIMIT_FSIZE, &bytes);
      (void)Export(flags_);
      _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGXFSZ;
  }

  int64_t DroppedBy(const std::string& name) {
    const Json manifest =
        Json::parse(TempDir::Read(flags_.output + ".manifest.json"));
    for (const Json& filter : manifest["filters"]) {
      if (filter["filter"] == name) return filter["dropped"].get<int64_t>();
    }
    return -1;
  }

  const TempDir dir_;
  ExportFlags flags_;
};

TEST_F(ExportVerbTest, ARowIsAConversationAndWhereItCameFrom) {
  Group group = MakeTexts("a", {"<think>one\n</think>2", "3", "4"});
  group.mutable_trajectories(0)->mutable_grade()->set_extracted("2");
  group.mutable_trajectories(2)->mutable_grade()->set_verdict(
      VERDICT_GRADER_ERROR);
  Store({group});
  Change([](ExperienceStore* store) { return store->NotePolicy(4, "abc"); });
  flags_.filters.token_ids = true;
  const std::vector<Json> rows = Rows();
  ASSERT_THAT(rows, SizeIs(3));
  const Json expected = Json::parse(R"({
      "messages": [{"role": "user", "content": "prompt of a"},
                   {"role": "assistant", "content": "<think>one\n</think>2"}],
      "reasoning": "one\n", "answer": "2", "verdict": "correct", "score": 1,
      "format": 1, "reward": 1, "reason": "", "member": 0,
      "finish_reason": "stop", "completion_tokens": 3, "policy_version": 4,
      "last_policy_version": 4, "weights_hash": "abc", "group_pass_rate": 0.5,
      "group_id": "rl/a/0", "prompt_id": "a", "stage": "rl", "verifier": "",
      "reference_answer": "2", "source": "",
      "sampling": {"temperature": 0.9, "top_p": 1, "top_k": 0,
                   "max_completion_tokens": 1024, "group_size": 3, "seed": 5},
      "prompt_ids": [7], "completion_ids": [10, 11, 12]})");
  EXPECT_EQ(rows[0], expected) << Json::diff(rows[0], expected);
  EXPECT_EQ(rows[2]["verdict"], "grader_error");
}

TEST_F(ExportVerbTest, MessagesOfAPromptStayMessages) {
  Group group = MakeTexts("a", {"4"});
  for (const std::string role : {"system", "user"}) {
    Message* const message = group.mutable_prompt()->add_messages();
    message->set_role(role);
    message->set_content("by " + role);
  }
  Store({group});
  EXPECT_EQ(Rows().at(0)["messages"],
            Json::parse(R"([{"role": "system", "content": "by system"},
                            {"role": "user", "content": "by user"},
                            {"role": "assistant", "content": "4"}])"));
}

TEST_F(ExportVerbTest, TheOrderDoesNotDependOnWhoDeliveredFirst) {
  const std::vector<Group> groups = {
      MakeTexts("b", {"1"}), MakeTexts("a", {"2"}, 1), MakeTexts("a", {"3"}),
      MakeTexts("c", {"4"})};
  Store({groups[3], groups[1], groups[0], groups[2]});
  const std::vector<std::string> c = {"rl/c/0"};
  Change([&](ExperienceStore* store) { return store->MarkTrained(c, 2); });
  EXPECT_THAT(Texts(), ElementsAre("4", "3", "2", "1"));
  flags_.to_step = 2;
  EXPECT_THAT(Texts(), ElementsAre("4"));
  flags_.from_step = 3;
  flags_.to_step = -1;
  EXPECT_THAT(Texts(), ElementsAre("3", "2", "1"));
}

TEST_F(ExportVerbTest, EvaluationsAreNeverExported) {
  Group held_out = MakeTexts("held-out", {"1"});
  held_out.set_eval(true);
  Store({held_out, MakeTexts("a", {"2"})});
  EXPECT_THAT(Texts(), ElementsAre("2"));
}

TEST_F(ExportVerbTest, EveryFilterCountsWhatItLeavesOut) {
  const std::string prose =
      "we add the first number to the second number and find their sum";
  Store({MakeTexts("a", {prose, "wrong"}),
         MakeTexts("b", {"```python\n```", "wrong"}),
         MakeTexts("c", {"我们把第一个数字加上去", "wrong"}),
         MakeTexts("d", {std::string(60, 'x') + " is long", "wrong"}),
         MakeTexts("e", {"it holds the text of a test", "wrong"})});
  flags_.filters.correct = true;
  flags_.filters.language = "en";
  flags_.filters.max_paragraph = 64;
  flags_.filters.no_code = true;
  flags_.filters.decontaminate = {
      dir_.Write("tests.jsonl", "{\"prompt\": \"text of a test\"}\n")};
  EXPECT_THAT(Texts(), ElementsAre(prose));
  for (const auto& [name, count] :
       std::vector<std::pair<std::string, int>>{{"correct", 5},
                                                {"language", 1},
                                                {"max_paragraph", 1},
                                                {"no_code", 1},
                                                {"decontaminate", 1}}) {
    EXPECT_EQ(DroppedBy(name), count) << name;
  }
  EXPECT_EQ(DroppedBy("length"), -1);  // Off: not in the manifest.
}

TEST_F(ExportVerbTest, PassRatesAndLengthsAreBands) {
  Group longer = MakeTexts("b", {"1", "2"});
  longer.mutable_trajectories(1)->add_tokens(1);
  Store({MakeTexts("a", {"1"}), longer});
  flags_.filters.max_pass_rate = 0.9;
  EXPECT_THAT(Texts(), ElementsAre("1", "2"));
  flags_.filters.min_completion_tokens = 4;
  EXPECT_THAT(Texts(), ElementsAre("2"));
  flags_.filters.min_completion_tokens = 0;
  flags_.filters.max_completion_tokens = 3;
  EXPECT_THAT(Texts(), ElementsAre("1"));
  EXPECT_EQ(DroppedBy("pass_rate"), 1);
  EXPECT_EQ(DroppedBy("length"), 1);
}

TEST_F(ExportVerbTest, CodeIsWhatACodeVerifierAsksFor) {
  Group code = MakeTexts("a", {"```python\n```"});
  code.mutable_prompt()->set_verifier("code");
  Store({code});
  flags_.filters.no_code = true;
  EXPECT_THAT(Texts(), SizeIs(1));
}

TEST_F(ExportVerbTest, DuplicatesAreThoseOfOnePromptText) {
  std::string text;
  for (int i = 0; i < 100; ++i) absl::StrAppend(&text, "word", i, " ");
  Group again = MakeTexts("other-id", {text});
  again.mutable_prompt()->set_text("prompt  of\na");  // But for blanks, a's.
  Store({MakeTexts("a", {text, text + "end"}), MakeTexts("b", {text}), again});
  flags_.filters.duplicates = "exact";
  EXPECT_THAT(Texts(), ElementsAre(text, text + "end", text));
  EXPECT_EQ(DroppedBy("exact_duplicate"), 1);
  flags_.filters.duplicates = "near";
  EXPECT_THAT(Texts(), ElementsAre(text, text));
  EXPECT_EQ(DroppedBy("exact_duplicate"), 1);
  EXPECT_EQ(DroppedBy("near_duplicate"), 1);
}

TEST_F(ExportVerbTest, APromptHasAtMostSoMany) {
  Store({MakeTexts("a", {"1", "2", "3"}), MakeTexts("a", {"4"}, 1),
         MakeTexts("b", {"5"})});
  flags_.filters.per_prompt = 2;
  EXPECT_THAT(Texts(), ElementsAre("1", "2", "5"));
  EXPECT_EQ(DroppedBy("per_prompt"), 2);
}

TEST_F(ExportVerbTest, BytesThatAreNoTextAreReplacedAndCounted) {
  Store({MakeTexts("a", {"cut \xe4\xb8"})});
  EXPECT_THAT(Texts(), ElementsAre("cut \xef\xbf\xbd\xef\xbf\xbd"));
  const Json manifest =
      Json::parse(TempDir::Read(flags_.output + ".manifest.json"));
  EXPECT_EQ(manifest["rows_with_bytes_replaced"], 1);
}

TEST_F(ExportVerbTest, AStoreWithoutHashesOfWeightsIsExported) {
  Store({MakeTexts("a", {"1"})});
  EXPECT_TRUE(Rows().at(0)["weights_hash"].is_null());
}

TEST_F(ExportVerbTest, ParquetHoldsWhatJsonlHolds) {
  Store({MakeTexts("a", {"1\n", "2"}), MakeTexts("b", {"3"})});
  flags_.filters.token_ids = true;
  const std::vector<Json> expected = Rows();
  flags_.output = dir_ / "out.parquet";
  const absl::StatusOr<std::string> exported = Export(flags_);
  if (absl::IsFailedPrecondition(exported.status())) GTEST_SKIP();
  COHORT_ASSERT_OK(exported);
  std::vector<Json> rows;
  COHORT_ASSERT_OK(
      ForEachParquetRow(flags_.output, [&](int64_t, std::string_view json) {
        rows.push_back(Json::parse(json));
        return absl::OkStatus();
      }));
  EXPECT_EQ(rows, expected);
  for (const std::string end :
       {".partial", ".partial.seen", ".partial.state"}) {
    EXPECT_FALSE(std::filesystem::exists(flags_.output + end)) << end;
  }
}

// The kernel kills the export in the middle of a write, at a byte of our
// choice; the same call goes on and makes the same bytes.
TEST_F(ExportVerbTest, AKilledExportGoesOnAndEndsTheSame) {
  std::vector<Group> groups;
  for (int i = 0; i < 200; ++i) {
    groups.push_back(MakeTexts(absl::StrCat("p", 100 + i), {"1", "2", "1"}));
    groups.push_back(MakeTexts(absl::StrCat("p", 100 + i), {"2", "3"}, 1));
  }
  Store(groups);
  flags_.filters.duplicates = "near";
  flags_.filters.per_prompt = 2;
  EXPECT_THAT(Rows(), SizeIs(400));
  const std::string whole = TempDir::Read(flags_.output);
  const std::string manifest = TempDir::Read(flags_.output + ".manifest.json");
  EXPECT_EQ(DroppedBy("exact_duplicate"), 400);
  EXPECT_EQ(DroppedBy("per_prompt"), 200);

  flags_.save_bytes = 1;  // After every batch.
  const rlim_t size = whole.size();
  for (const rlim_t limit : {kLeastLimit, size / 2, size * 2 / 3, size - 1}) {
    std::filesystem::remove(flags_.output);
    std::filesystem::remove(flags_.output + ".manifest.json");
    EXPECT_TRUE(IsKilledAt(limit));
    EXPECT_FALSE(std::filesystem::exists(flags_.output));
    EXPECT_EQ(std::filesystem::file_size(flags_.output + ".partial"), limit);
    COHORT_ASSERT_OK(Export(flags_));
    EXPECT_EQ(TempDir::Read(flags_.output), whole) << limit;
    EXPECT_EQ(TempDir::Read(flags_.output + ".manifest.json"), manifest);
  }
}

TEST_F(ExportVerbTest, AnotherCallBeginsAnew) {
  std::vector<Group> groups;
  for (int i = 0; i < 100; ++i) {
    groups.push_back(MakeTexts(absl::StrCat("p", 100 + i), {"1", "2"}));
  }
  Store(groups);
  flags_.save_bytes = 1;
  EXPECT_TRUE(IsKilledAt(kLeastLimit));
  flags_.filters.correct = true;
  EXPECT_THAT(Rows(), SizeIs(100));
  EXPECT_TRUE(IsKilledAt(kLeastLimit));
  Store({MakeTexts("o", {"1"})});  // First in the order.
  EXPECT_THAT(Rows(), SizeIs(101));
}

TEST_F(ExportVerbTest, BadInputIsOneLineAndLeavesNoFile) {
  constexpr absl::StatusCode kWrong = absl::StatusCode::kInvalidArgument;
  constexpr absl::StatusCode kMissing = absl::StatusCode::kNotFound;
  EXPECT_THAT(Export(flags_), StatusIs(absl::StatusCode::kPermissionDenied,
                                       HasSubstr("experience.sqlite")));
  Store({MakeTexts("a", {"1"})});
  ExportFlags wrong = flags_;
  wrong.run_dir = dir_ / "nowhere";
  EXPECT_THAT(Export(wrong), StatusIs(kMissing, HasSubstr("nowhere")));
  wrong = flags_;
  wrong.stage = "sft";
  EXPECT_THAT(Export(wrong), StatusIs(kWrong, HasSubstr("--stage sft")));
  wrong = flags_;
  wrong.filters.decontaminate = {dir_ / "gone.jsonl"};
  EXPECT_THAT(Export(wrong), StatusIs(kMissing, HasSubstr("gone.jsonl")));
  wrong = flags_;
  wrong.output = dir_ / "no/such/folder.jsonl";
  EXPECT_THAT(Export(wrong), StatusIs(kMissing, HasSubstr("no/such/folder")));
  EXPECT_FALSE(std::filesystem::exists(flags_.output));

  const std::vector<std::string> run = {flags_.run_dir, "--output"};
  const auto call = [&run](const std::vector<std::string>& more) {
    std::vector<std::string> args = run;
    args.insert(args.end(), more.begin(), more.end());
    return ExportVerb(args);
  };
  EXPECT_EQ(call({"out.csv"}), 2);
  EXPECT_EQ(call({"out.jsonl", "--duplicates", "some"}), 2);
  EXPECT_EQ(call({"out.jsonl", "--language", "klingon"}), 2);
  EXPECT_EQ(call({"out.jsonl", "--ngram", "0"}), 2);
  EXPECT_EQ(
      call({"out.jsonl", "--min-pass-rate", "0.9", "--max-pass-rate", "0.1"}),
      2);
}

TEST_F(ExportVerbTest, TwoExportsDoNotWriteOneFile) {
  Store({MakeTexts("a", {"1"})});
  const auto other = ExportFile::Open(flags_.output + ".partial", "key");
  COHORT_ASSERT_OK(other);
  EXPECT_THAT(Export(flags_),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       HasSubstr("another export is writing it")));
}

}  // namespace
}  // namespace cohort
