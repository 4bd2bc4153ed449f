#include "learner/trainer.h"

#include <ATen/Parallel.h>
#include <torch/types.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "gmock/gmock.h"
#include "learner/store_reader.h"
#include "learner/trainer_state.h"
#include "tests/learner/scripted_worker.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temp_dir.h"
#include "tests/testing/tiny_model.h"

namespace cohort {
namespace {

using ::testing::HasSubstr;

std::vector<PromptSet> MakePrompts(int count) {
  PromptSet set;
  set.file = "made.jsonl";
  for (int i = 0; i < count; ++i) {
    Prompt& prompt = set.prompts.emplace_back();
    prompt.set_id("p" + std::to_string(i));
    prompt.set_text("?");
    prompt.set_verifier("chain");
    prompt.set_answer("1");
    for (int t = 0; t < 2 + i % 3; ++t) prompt.add_tokens(3 + (i + t) % 30);
  }
  return {set};
}

GroupFilter InState(const std::string& state) {
  GroupFilter filter;
  filter.state = state;
  return filter;
}

StageConfig MakeStage() {
  StageConfig stage;
  stage.kind = "rl";
  stage.name = "rl";
  stage.steps = 6;
  stage.rollout.group_size = 4;
  stage.rollout.max_completion_tokens = 8;
  stage.learner.prompts_per_step = 4;
  stage.learner.learning_rate = 1e-3;
  stage.learner.advantage = "mean";
  stage.learner.kl_weight = 0.01;
  stage.learner.microbatch_tokens = 40;
  return stage;
}

// Everything around a trainer, in one process.
struct Rig {
  explicit Rig(StageConfig stage_config) : stage(std::move(stage_config)) {
    at::set_num_threads(1);
    auto opened = ExperienceStore::Open(dir / "store.sqlite");
    COHORT_CHECK(opened.ok());
    store = *std::move(opened);
    worker = std::make_unique<ScriptedWorker>(&book, store.get());
    MakeTrainer();
  }
  ~Rig() { book.Finish(); }

  void MakeTrainer() {
    source = std::make_unique<PromptSource>(MakePrompts(10), 7, stage.name);
    auto made = Trainer::Create({.stage = &stage,
                                 .policy = model.get(),
                                 .sampling = SamplingOf(stage.rollout, 7, {1}),
                                 .source = source.get(),
                                 .store = store.get(),
                                 .book = &book,
                                 .board = board.get()});
    COHORT_CHECK(made.ok());
    trainer = *std::move(made);
  }

  // What is left of a learner that was killed and started again.
  void Crash() {
    trainer.reset();
    book.Forget(Outstanding());
    model = MakeTinyModel(/*seed=*/99);
    board = std::make_unique<WeightBoard>();
    auto found = FindCheckpoint(dir.path());
    COHORT_CHECK(found.ok() && found->has_value());
    COHORT_CHECK(LoadWeights(**found, model.get()).ok());
    state = *LoadState(**found);
    COHORT_CHECK(store->RollBack(state.step, state.policy_version).ok());
    MakeTrainer();
    COHORT_CHECK(trainer->Restore(**found, state).ok());
  }

  std::vector<std::string> Outstanding() const {
    std::vector<std::string> ids;
    auto rows = store->List({});
    for (const GroupRow& row : *rows) ids.push_back(row.group_id);
    return ids;
  }

  std::string Step() {
    absl::StatusOr<StepReport> report = trainer->Step(&state, {});
    EXPECT_THAT(report, IsOk());
    if (!report.ok()) return "";
    std::string text;
    for (const auto& [name, value] : report->row.values()) {
      const bool clock = name.rfind("time/", 0) == 0 ||
                         name.find("_per_second") != std::string::npos;
      if (!clock)
        text += absl::StrCat(name, "=", absl::StrFormat("%a", value), "\n");
    }
    return text;
  }

  void Save() {
    state.prompt_cursor = trainer->SaveCursor();
    auto saved = SaveCheckpoint(dir.path(), state,
                                {.policy = model.get(),
                                 .optimizer = &trainer->optimizer(),
                                 .reference = trainer->reference(),
                                 .config_json = TinyConfigJson(),
                                 .source_folder = ""});
    COHORT_EXPECT_OK(saved);
  }

  double Metric(const std::string& report, const std::string& name) const {
    const size_t at = report.find(name + "=");
    if (at == std::string::npos) return -1;
    return std::strtod(report.c_str() + at + name.size() + 1, nullptr);
  }

  TempDir dir;
  StageConfig stage;
  std::unique_ptr<Transformer> model = MakeTinyModel();
  std::unique_ptr<ExperienceStore> store;
  LeaseBook book{absl::Minutes(1)};
  std::unique_ptr<WeightBoard> board = std::make_unique<WeightBoard>();
  std::unique_ptr<PromptSource> source;
  std::unique_ptr<Trainer> trainer;
  TrainerState state;
  std::unique_ptr<ScriptedWorker> worker;
};

std::vector<at::Tensor> WeightsOf(const Transformer& model) {
  std::vector<at::Tensor> weights;
  for (const NamedTensor& named : model.HfTensors()) {
    weights.push_back(named.tensor.detach().clone());
  }
  return weights;
}

TEST(TrainerTest, AStepTrainsPublishesAndCounts) {
  Rig rig(MakeStage());
  const std::vector<at::Tensor> before = WeightsOf(*rig.model);
  const std::string report = rig.Step();
  EXPECT_EQ(rig.state.step, 1);
  EXPECT_EQ(rig.state.policy_version, 1);
  EXPECT_EQ(rig.board->newest_version(), 1);
  EXPECT_GT(rig.Metric(report, "loss/grad_norm"), 0);
  EXPECT_EQ(rig.Metric(report, "rollout/staleness_mean"), 0);
  EXPECT_EQ(rig.Metric(report, "loss/kl_nats"), 0);  // Still the reference.
  const std::vector<at::Tensor> after = WeightsOf(*rig.model);
  bool moved = false;
  for (size_t i = 0; i < before.size(); ++i) {
    moved = moved || !at::equal(before[i], after[i]);
  }
  EXPECT_TRUE(moved);
  const auto rows = rig.store->List({.step = 1, .state = "", .stage = ""});
  COHORT_ASSERT_OK(rows);
  EXPECT_EQ(rows->size(), 4);
  for (const GroupRow& row : *rows) EXPECT_EQ(row.state, "trained");
}

TEST(TrainerTest, TheStoreKnowsWhatSampledAGroupAndHowFarItWasOff) {
  Rig rig(MakeStage());
  const std::string report = rig.Step();
  const double most = rig.Metric(report, "mismatch/max_abs_logprob_diff");
  const auto rows = rig.store->List({.step = 1, .state = "", .stage = ""});
  COHORT_ASSERT_OK(rows);
  double largest = 0;
  for (const GroupRow& row : *rows) {
    const auto mismatches = rig.store->MismatchesOf(row.group_id);
    COHORT_ASSERT_OK(mismatches);
    for (const double nats : *mismatches) {
      EXPECT_LE(nats, most);
      largest = std::max(largest, nats);
    }
  }
  EXPECT_GT(largest, 0);
  const auto reader = StoreReader::Open(rig.dir / "store.sqlite");
  COHORT_ASSERT_OK(reader);
  const std::string checksum =
      absl::StrCat(absl::Hex(rig.board->WaitForNewer(0, absl::ZeroDuration())
                                 ->shards.front()
                                 .total_checksum(),
                             absl::kZeroPad16));
  EXPECT_THAT((*reader)->WeightHashes(),
              IsOkAndHolds(testing::Contains(testing::Pair(1, checksum))));
}

TEST(TrainerTest, TheCorrectionBiasIsFrozenUnlessAskedFor) {
  for (const bool asked : {false, true}) {
    StageConfig stage = MakeStage();
    if (asked) stage.learner.router_bias_rate = 0.01;
    Rig rig(stage);
    const at::Tensor before = rig.model->CorrectionBiases()[0].clone();
    rig.Step();
    EXPECT_EQ(at::equal(before, rig.model->CorrectionBiases()[0]), !asked);
  }
}

// The sampler of this test makes its log-probabilities up; what is compared
// here is that smaller microbatches change the last bits alone.
TEST(TrainerTest, MicrobatchesDoNotChangeTheStep) {
  StageConfig whole = MakeStage();
  whole.learner.microbatch_tokens = 100000;
  StageConfig pieces = MakeStage();
  pieces.learner.microbatch_tokens = 1;  // Every trajectory alone.
  Rig one(whole), many(pieces);
  const std::string a = one.Step(), b = many.Step();
  for (const char* name : {"loss/total", "loss/grad_norm"}) {
    EXPECT_NEAR(one.Metric(a, name), many.Metric(b, name),
                1e-5 * std::abs(one.Metric(a, name)))
        << name;
  }
}

TEST(TrainerTest, AResumedRunEqualsTheUninterruptedOneBitForBit) {
  for (const bool minibatches : {false, true}) {
    StageConfig stage = MakeStage();
    stage.learner.reference_refresh_steps = 3;
    if (minibatches) stage.learner.minibatches = 2;
    Rig calm(stage), wild(stage);
    std::vector<std::string> expected;
    for (int s = 0; s < 6; ++s) expected.push_back(calm.Step());
    EXPECT_EQ(wild.Step(), expected[0]);
    EXPECT_EQ(wild.Step(), expected[1]);
    wild.Save();
    EXPECT_EQ(wild.Step(), expected[2]);  // Lost.
    wild.Crash();
    for (int s = 2; s < 6; ++s) EXPECT_EQ(wild.Step(), expected[s]) << s;
    const std::vector<at::Tensor> a = WeightsOf(*calm.model);
    const std::vector<at::Tensor> b = WeightsOf(*wild.model);
    for (size_t i = 0; i < a.size(); ++i) EXPECT_TRUE(at::equal(a[i], b[i]));
    const auto rows = wild.store->List(InState("trained"));
    EXPECT_EQ(rows->size(), 6 * 4);
  }
}

TEST(TrainerTest, GroupsArePlannedAheadNoFurtherThanTheBound) {
  StageConfig stage = MakeStage();
  stage.learner.max_staleness = 2;
  Rig rig(stage);
  for (int s = 0; s < 6; ++s) {
    const std::string report = rig.Step();
    EXPECT_EQ(rig.Metric(report, "rollout/staleness_mean"), std::min(s, 2));
  }
  EXPECT_EQ(rig.store->List(InState("trained"))->size(), 6 * 4);
}

TEST(TrainerTest, AStaleRunThatCrashedTrainsNothingTwice) {
  StageConfig stage = MakeStage();
  stage.learner.max_staleness = 2;
  Rig rig(stage);
  rig.Step();
  rig.Step();
  rig.Save();
  rig.Step();
  rig.Crash();
  while (rig.state.stage_step < stage.steps) rig.Step();
  EXPECT_EQ(rig.store->List(InState("trained"))->size(), 6 * 4);
}

TEST(TrainerTest, RefillsReplaceGroupsWithoutSpread) {
  StageConfig stage = MakeStage();
  stage.rollout.group_size = 2;  // Half of the groups have no spread.
  stage.learner.refill_groups = 3;
  Rig rig(stage);
  const std::string report = rig.Step();
  EXPECT_GT(rig.Metric(report, "train/groups_dropped"), 0);
  EXPECT_EQ(rig.Metric(report, "train/groups_without_spread"), 0);
  EXPECT_EQ(rig.store->List(InState("trained"))->size(), 4);
  EXPECT_EQ(rig.store->List(InState("dropped"))->size(),
            rig.Metric(report, "train/groups_dropped"));
}

// Every completion right: nothing to learn, but still something to compare.
TEST(TrainerTest, AStepWithoutSpreadLeavesThePolicyAlone) {
  StageConfig stage = MakeStage();
  stage.rewards.accuracy_weight = 0;  // All rewards are 0.
  Rig rig(stage);
  const std::vector<at::Tensor> before = WeightsOf(*rig.model);
  const std::string report = rig.Step();
  EXPECT_EQ(rig.Metric(report, "train/groups_without_spread"), 4);
  EXPECT_GT(rig.Metric(report, "mismatch/tokens"), 0);
  EXPECT_EQ(rig.Metric(report, "loss/grad_norm"), 0);
  EXPECT_EQ(rig.state.policy_version, 1);
  EXPECT_EQ(rig.trainer->optimizer().steps(), 0);
  const std::vector<at::Tensor> after = WeightsOf(*rig.model);
  for (size_t i = 0; i < before.size(); ++i) {
    EXPECT_TRUE(at::equal(before[i], after[i]));
  }
}

TEST(TrainerTest, AStopGivesTheStepUp) {
  Rig rig(MakeStage());
  rig.worker.reset();  // Nobody delivers.
  std::stop_source stop;
  stop.request_stop();
  EXPECT_THAT(rig.trainer->Step(&rig.state, stop.get_token()),
              StatusIs(absl::StatusCode::kCancelled, HasSubstr("stopped")));
  EXPECT_EQ(rig.state.step, 0);
}

}  // namespace
}  // namespace cohort
