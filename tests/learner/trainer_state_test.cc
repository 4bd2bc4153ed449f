#include "learner/trainer_state.h"

#include <torch/types.h>

#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "model/checkpoint.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temp_dir.h"
#include "tests/testing/tiny_model.h"

namespace cohort {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Optional;

namespace fs = std::filesystem;

class CheckpointTest : public testing::Test {
 protected:
  std::string Save(int64_t step) {
    TrainerState state;
    state.step = step;
    const auto path = SaveCheckpoint(dir_.path(), state, Parts());
    COHORT_EXPECT_OK(path);
    return path.value_or("");
  }

  CheckpointParts Parts(const Transformer* reference = nullptr) const {
    CheckpointParts parts;
    parts.policy = model_.get();
    parts.reference = reference;
    parts.config_json = TinyConfigJson();
    return parts;
  }

  std::vector<std::string> Names() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(dir_.path())) {
      names.push_back(entry.path().filename().string());
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  TempDir dir_;
  std::unique_ptr<Transformer> model_ = MakeTinyModel();
};

TEST_F(CheckpointTest, TheNewestIsFoundAndHoldsTheWeights) {
  EXPECT_THAT(FindCheckpoint(dir_.path()),
              IsOkAndHolds(std::optional<std::string>()));
  Save(1);
  const std::string path = Save(2);
  EXPECT_THAT(FindCheckpoint(dir_.path()), IsOkAndHolds(Optional(path)));
  EXPECT_EQ(LoadState(path)->step, 2);
  const auto other = MakeTinyModel(/*seed=*/5);
  COHORT_ASSERT_OK(LoadWeights(path, other.get()));
  EXPECT_TRUE(at::equal(other->Head(), model_->Head()));
}

TEST_F(CheckpointTest, OnlyTheNewestTheBestAndStageEndsAreKept) {
  for (int step = 1; step <= 6; ++step) Save(step);
  TrainerState state;
  state.best_step = 3;
  state.stage_ends = {1};
  COHORT_ASSERT_OK(RemoveOldCheckpoints(dir_.path(), state, 2));
  EXPECT_THAT(Names(), ElementsAre("latest", "step_000001", "step_000003",
                                   "step_000005", "step_000006"));
}

TEST_F(CheckpointTest, WhatACrashLeftUnfinishedIsRemoved) {
  const std::string path = Save(4);
  fs::create_directories(dir_ / "step_000005.unfinished/trainer_state");
  EXPECT_THAT(FindCheckpoint(dir_.path()), IsOkAndHolds(Optional(path)));
  EXPECT_THAT(Names(), ElementsAre("latest", "step_000004"));
}

// SaveCheckpoint of a step that has one moves the old folder aside before the
// new one takes its place; a crash between the two leaves only these.
TEST_F(CheckpointTest, ACrashBetweenTwoRenamesLosesNothing) {
  const std::string path = Save(4);
  fs::rename(path, path + ".old.unfinished");
  fs::create_directories(path + ".unfinished");
  EXPECT_THAT(FindCheckpoint(dir_.path()), IsOkAndHolds(Optional(path)));
  COHORT_EXPECT_OK(LoadState(path));
}

TEST_F(CheckpointTest, AStepCanBeSavedTwice) {
  Save(4);
  const std::string path = Save(4);
  EXPECT_THAT(FindCheckpoint(dir_.path()), IsOkAndHolds(Optional(path)));
  EXPECT_THAT(Names(), ElementsAre("latest", "step_000004"));
}

TEST_F(CheckpointTest, TheReferenceComesBackBitForBit) {
  const auto reference = MakeTinyModel(/*seed=*/3);
  const auto path = SaveCheckpoint(dir_.path(), {}, Parts(reference.get()));
  COHORT_ASSERT_OK(path);
  const auto loaded = MakeTinyModel(/*seed=*/4);
  COHORT_ASSERT_OK(LoadReference(*path, loaded.get()));
  const auto a = reference->HfTensors(), b = loaded->HfTensors();
  for (size_t i = 0; i < a.size(); ++i) {
    EXPECT_TRUE(at::equal(a[i].tensor, b[i].tensor)) << a[i].name;
  }
}

TEST(StateJsonTest, EveryFieldComesBack) {
  TrainerState state;
  state.step = 12;
  state.policy_version = 13;
  state.stage = 1;
  state.stage_step = 4;
  state.prompt_cursor = R"({"taken": [3]})";
  state.optimizer_steps = 11;
  state.best_step = 10;
  state.best_score = 0.1 + 0.2;
  state.stage_ends = {8, 12};
  state.totals.skipped_steps = 1;
  state.totals.sampled_tokens = 1234567890123;
  state.totals.time_s = {{"sample", 1.5}, {"update", 2.25}};
  state.totals.before.greedy = 0.25;
  state.totals.completions = {{"1+1=", "2", "3", "2\xff"}};
  const auto read = ParseState(PrintState(state), "state.json");
  COHORT_ASSERT_OK(read);
  EXPECT_EQ(PrintState(*read), PrintState(state));
  EXPECT_EQ(read->best_score, state.best_score);
  EXPECT_EQ(read->prompt_cursor, state.prompt_cursor);
  EXPECT_TRUE(std::isnan(read->totals.after.greedy));
}

TEST(StateJsonTest, ADamagedStateIsNamed) {
  const std::string whole = PrintState({});
  for (const std::string& damaged :
       {whole.substr(0, whole.size() / 2), std::string("[]"),
        std::string("{\"step\": \"x\"}")}) {
    EXPECT_THAT(
        ParseState(damaged, "run/state.json"),
        StatusIs(absl::StatusCode::kDataLoss, HasSubstr("run/state.json")));
  }
}

}  // namespace
}  // namespace cohort
