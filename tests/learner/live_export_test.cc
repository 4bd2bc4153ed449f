#include "learner/live_export.h"

#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "learner/experience_store.h"
#include "learner/export_verb.h"
#include "nlohmann/json.hpp"
#include "tests/learner/sample_groups.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temp_dir.h"

namespace cohort {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::IsNull;

class LiveExportTest : public testing::Test {
 protected:
  void SetUp() override {
    auto store = ExperienceStore::Open(store_path_);
    COHORT_ASSERT_OK(store);
    store_ = *std::move(store);
    config_.run.dir = dir_.path();
    config_.sink.file = file_;
    config_.sink.correct = true;
    config_.sink.duplicates = "near";
    config_.stages.emplace_back().name = "rl";
  }

  // Two groups are sampled by policy `step` - 1 and trained on at `step`.
  void Train(int64_t step) {
    std::vector<std::string> ids;
    for (const std::string prompt : {"b", "a"}) {
      Group group = MakeGroup(MakeLease(absl::StrCat(prompt, step)), step - 1);
      group.mutable_prompt()->set_text(absl::StrCat("prompt ", prompt, step));
      COHORT_ASSERT_OK(store_->Append(group));
      ids.push_back(group.id());
    }
    COHORT_ASSERT_OK(store_->NotePolicy(step - 1, absl::StrCat("w", step - 1)));
    COHORT_ASSERT_OK(store_->MarkTrained(ids, step));
  }

  std::string PromptIds() {
    std::string ids;
    std::ifstream file(file_);
    for (std::string line; std::getline(file, line);) {
      const nlohmann::json row = nlohmann::json::parse(line);
      EXPECT_EQ(row["verdict"], "correct");
      absl::StrAppend(&ids, row["prompt_id"].get<std::string>(), " ");
    }
    return ids;
  }

  std::unique_ptr<LiveExport> Open(int64_t step) {
    auto live = LiveExport::Open(config_, store_path_, step);
    COHORT_EXPECT_OK(live);
    return live.ok() ? *std::move(live) : nullptr;
  }

  const TempDir dir_;
  const std::string store_path_ = dir_ / "experience.sqlite";
  const std::string file_ = dir_ / "live.jsonl";
  std::unique_ptr<ExperienceStore> store_;
  Config config_;
};

TEST_F(LiveExportTest, GrowsAtEveryCheckpointInTheOrderOfSteps) {
  const auto live = Open(0);
  EXPECT_THAT(PromptIds(), IsEmpty());
  Train(1);
  Train(2);
  COHORT_ASSERT_OK(live->Advance(1));
  EXPECT_EQ(PromptIds(), "a1 b1 ");
  COHORT_ASSERT_OK(live->Advance(2));
  EXPECT_EQ(PromptIds(), "a1 b1 a2 b2 ");
  COHORT_ASSERT_OK(live->Advance(2));
  EXPECT_EQ(PromptIds(), "a1 b1 a2 b2 ");
  EXPECT_THAT(TempDir::Read(file_ + ".manifest.json"),
              HasSubstr("\"completions\": 8"));
  EXPECT_THAT(TempDir::Read(file_), HasSubstr("\"weights_hash\":\"w1\""));
}

TEST_F(LiveExportTest, AResumedRunEndsWithTheSameBytes) {
  for (const int64_t step : {1, 2, 3}) Train(step);
  COHORT_ASSERT_OK(Open(0)->Advance(3));
  const std::string whole = TempDir::Read(file_);
  for (const std::string end : {"", ".seen", ".state"}) {
    std::filesystem::remove(file_ + end);
  }
  COHORT_ASSERT_OK(Open(0)->Advance(1));
  // The learner died behind the checkpoint of step 2, in the middle of a row.
  std::ofstream(file_, std::ios::app) << "{\"messages\":[{\"ro";
  const auto resumed = Open(2);
  EXPECT_EQ(PromptIds(), "a1 b1 a2 b2 ");
  COHORT_ASSERT_OK(resumed->Advance(3));
  EXPECT_EQ(TempDir::Read(file_), whole);
}

TEST_F(LiveExportTest, TheVerbMakesTheSameRowsOfTheStore) {
  for (const int64_t step : {1, 2}) Train(step);
  COHORT_ASSERT_OK(Open(0)->Advance(2));
  dir_.Write("config.yaml",
             "model: {checkpoint: some/folder}\n"
             "learner: {prompts: some.jsonl}\n"
             "stages: [{kind: rl, name: rl, steps: 3}]\n");
  ExportFlags flags;
  flags.run_dir = dir_.path();
  flags.output = dir_ / "verb.jsonl";
  flags.filters = config_.sink;
  config_.stages[0].rollout = {};
  COHORT_ASSERT_OK(Export(flags));
  EXPECT_EQ(TempDir::Read(flags.output), TempDir::Read(file_));
}

TEST_F(LiveExportTest, WhatIsNotThisRunsIsLeftAlone) {
  dir_.Write("live.jsonl", "somebody's\n");
  EXPECT_THAT(LiveExport::Check(config_),
              StatusIs(absl::StatusCode::kAlreadyExists,
                       HasSubstr("live.jsonl exists")));
  EXPECT_THAT(LiveExport::Open(config_, store_path_, 0).status(),
              StatusIs(absl::StatusCode::kAlreadyExists, HasSubstr("live")));
  EXPECT_EQ(TempDir::Read(file_), "somebody's\n");
  std::filesystem::remove(file_);

  Train(1);
  COHORT_ASSERT_OK(Open(0)->Advance(1));
  COHORT_EXPECT_OK(LiveExport::Check(config_));
  config_.sink.correct = false;
  EXPECT_THAT(LiveExport::Check(config_),
              StatusIs(absl::StatusCode::kAlreadyExists, HasSubstr("filters")));
  config_.sink.correct = true;
  EXPECT_THAT(LiveExport::Open(config_, store_path_, 0).status(),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       HasSubstr("up to step 1, the run stands at step 0")));
}

TEST_F(LiveExportTest, NoFileNoExportAndAMissingTestIsAnError) {
  config_.sink.decontaminate = {dir_ / "gone.jsonl"};
  EXPECT_THAT(LiveExport::Check(config_),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("gone.jsonl")));
  config_.sink.file = "";
  COHORT_EXPECT_OK(LiveExport::Check(config_));
  EXPECT_THAT(LiveExport::Open(config_, store_path_, 0),
              IsOkAndHolds(IsNull()));
}

}  // namespace
}  // namespace cohort
