#include "learner/sft_trainer.h"

#include <torch/types.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "learner/trainer_state.h"
#include "model/mtp.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temp_dir.h"
#include "tests/testing/tiny_model.h"

namespace cohort {
namespace {

using ::testing::HasSubstr;

// Documents of 2 to 9 tokens.
std::vector<std::vector<int32_t>> MakeDocuments(int count) {
  std::vector<std::vector<int32_t>> documents;
  for (int i = 0; i < count; ++i) {
    auto& document = documents.emplace_back();
    for (int t = 0; t < 2 + i % 8; ++t)
      document.push_back(3 + (i * 7 + t) % 30);
  }
  return documents;
}

StageConfig MakeStage() {
  StageConfig stage;
  stage.kind = "sft";
  stage.name = "sft";
  stage.steps = 10;
  stage.learner.documents_per_step = 4;
  stage.learner.learning_rate = 3e-3;
  stage.learner.router_bias_rate = 0.001;
  stage.learner.router_bias_frozen_tail = 0.5;
  return stage;
}

TextCorpus MakeCorpus() { return TextCorpus(MakeDocuments(40), 4, 1, "sft"); }

// The mean over all next tokens, one document after the other, none packed.
double LoopLoss(const Transformer& model,
                const std::vector<const std::vector<int32_t>*>& documents) {
  const at::NoGradGuard no_grad;
  double sum = 0;
  int64_t tokens = 0;
  for (const std::vector<int32_t>* document : documents) {
    const ForwardResult forward =
        model.Forward(PackSequences({*document}, at::kCPU));
    const at::Tensor all = at::log_softmax(
        forward.hidden.to(at::kDouble).matmul(model.Head().t().to(at::kDouble)),
        -1);
    for (size_t t = 0; t + 1 < document->size(); ++t, ++tokens) {
      sum -= all[static_cast<int64_t>(t)][(*document)[t + 1]].item<double>();
    }
  }
  return sum / static_cast<double>(tokens);
}

TEST(SftTrainerTest, TheLossIsTheMeanOverAllNextTokensOfTheStep) {
  const auto model = MakeTinyModel();
  TextCorpus corpus = MakeCorpus();
  const double expected = LoopLoss(*model, corpus.DocumentsOfStep(0));
  const StageConfig stage = MakeStage();
  SftTrainer trainer(stage, MakeCorpus(), model.get());
  TrainerState state;
  const auto report = trainer.Step(&state, {});
  COHORT_ASSERT_OK(report);
  EXPECT_NEAR(report->progress.loss, expected, 1e-5);
  EXPECT_EQ(state.step, 1);
  EXPECT_EQ(state.policy_version, 1);
}

TEST(SftTrainerTest, TheCorrectionBiasFollowsTheLoadsUntilTheFrozenTail) {
  const auto model = MakeTinyModel();
  const StageConfig stage = MakeStage();
  SftTrainer trainer(stage, MakeCorpus(), model.get());
  TrainerState state;
  for (int step = 0; step < 10; ++step) {
    const at::Tensor before = model->CorrectionBiases()[0].clone();
    COHORT_ASSERT_OK(trainer.Step(&state, {}));
    const at::Tensor moved =
        (model->CorrectionBiases()[0] - before).abs().max();
    EXPECT_NEAR(moved.item<double>(), step < 5 ? 0.001 : 0, 1e-7) << step;
  }
}

std::unique_ptr<Transformer> MakeModelWithMtp() {
  ModelConfig config = TinyConfig();
  config.num_nextn_predict_layers = 1;
  return MakeModel(config);
}

// Of the prediction head alone, document by document: row t knows tokens t and
// t + 1 and predicts t + 2.
double LoopMtpLoss(const Transformer& model,
                   const std::vector<const std::vector<int32_t>*>& documents) {
  const at::NoGradGuard no_grad;
  double sum = 0;
  int64_t tokens = 0;
  for (const std::vector<int32_t>* document : documents) {
    if (document->size() < 3) continue;
    const PackedTokens packed = PackSequences({*document}, at::kCPU);
    const at::Tensor hidden =
        model.PredictAhead(ShiftByOne(packed), model.Forward(packed).hidden)
            .hidden;
    const at::Tensor all = at::log_softmax(
        hidden.to(at::kDouble).matmul(model.Head().t().to(at::kDouble)), -1);
    for (size_t t = 0; t + 2 < document->size(); ++t, ++tokens) {
      sum -= all[static_cast<int64_t>(t)][(*document)[t + 2]].item<double>();
    }
  }
  return sum / static_cast<double>(tokens);
}

TEST(SftTrainerTest, TheMtpLossIsAddedWithItsWeight) {
  const auto model = MakeModelWithMtp();
  TextCorpus corpus = MakeCorpus();
  const auto documents = corpus.DocumentsOfStep(0);
  const double mtp = LoopMtpLoss(*model, documents);
  const double expected = LoopLoss(*model, documents) + 0.3 * mtp;
  StageConfig stage = MakeStage();
  stage.learner.mtp_weight = 0.3;
  SftTrainer trainer(stage, MakeCorpus(), model.get());
  TrainerState state;
  const auto report = trainer.Step(&state, {});
  COHORT_ASSERT_OK(report);
  EXPECT_NEAR(report->progress.loss, expected, 1e-5);
  EXPECT_THAT(report->row.ToJson(), HasSubstr("\"loss/mtp\""));
  for (int step = 1; step < 10; ++step) {
    COHORT_ASSERT_OK(trainer.Step(&state, {}));
  }
  EXPECT_LT(LoopMtpLoss(*model, documents), mtp - 0.1);
}

TEST(SftTrainerTest, WithoutAWeightTheMtpHeadStaysAsItIs) {
  const auto model = MakeModelWithMtp();
  std::vector<at::Tensor> before;
  for (const NamedTensor& leaf : model->MtpParameters()) {
    before.push_back(leaf.tensor.clone());
  }
  StageConfig stage = MakeStage();
  stage.learner.weight_decay = 0.1;
  SftTrainer trainer(stage, MakeCorpus(), model.get());
  TrainerState state;
  COHORT_ASSERT_OK(trainer.Step(&state, {}));
  const auto after = model->MtpParameters();
  for (size_t i = 0; i < after.size(); ++i) {
    EXPECT_TRUE(at::equal(after[i].tensor, before[i])) << after[i].name;
  }
}

TEST(SftTrainerTest, AResumedRunEqualsTheUninterruptedOneBitForBit) {
  const StageConfig stage = MakeStage();
  const auto calm = MakeTinyModel();
  SftTrainer uninterrupted(stage, MakeCorpus(), calm.get());
  TrainerState state;
  for (int step = 0; step < 6; ++step) {
    COHORT_ASSERT_OK(uninterrupted.Step(&state, {}));
  }

  TempDir dir;
  TrainerState saved;
  std::string path;
  {
    const auto model = MakeTinyModel();
    SftTrainer trainer(stage, MakeCorpus(), model.get());
    for (int step = 0; step < 3; ++step) {
      COHORT_ASSERT_OK(trainer.Step(&saved, {}));
    }
    CheckpointParts parts;
    parts.policy = model.get();
    parts.optimizer = &trainer.optimizer();
    parts.config_json = TinyConfigJson();
    path = *SaveCheckpoint(dir.path(), saved, parts);
  }
  const auto wild = MakeTinyModel(/*seed=*/8);
  COHORT_ASSERT_OK(LoadWeights(path, wild.get()));
  SftTrainer resumed(stage, MakeCorpus(), wild.get());
  COHORT_ASSERT_OK(resumed.Restore(path, saved));
  for (int step = 3; step < 6; ++step) {
    COHORT_ASSERT_OK(resumed.Step(&saved, {}));
  }
  const auto a = calm->HfTensors(), b = wild->HfTensors();
  for (size_t i = 0; i < a.size(); ++i) {
    EXPECT_TRUE(at::equal(a[i].tensor, b[i].tensor)) << a[i].name;
  }
}

TEST(TextCorpusTest, AnEpochReadsEveryDocumentOnceInAnOrderOfItsOwn) {
  TextCorpus corpus = MakeCorpus();
  std::vector<std::vector<const std::vector<int32_t>*>> epochs(2);
  for (int epoch = 0; epoch < 2; ++epoch) {
    for (int step = 0; step < 10; ++step) {
      for (const auto* document : corpus.DocumentsOfStep(epoch * 10 + step)) {
        epochs[epoch].push_back(document);
      }
    }
  }
  EXPECT_NE(epochs[0], epochs[1]);
  for (auto& epoch : epochs) {
    EXPECT_EQ(std::set(epoch.begin(), epoch.end()).size(), 40);
  }
}

TEST(TextCorpusTest, DocumentsOfAStepAreOfSimilarLength) {
  TextCorpus corpus = MakeCorpus();
  for (int step = 0; step < 10; ++step) {
    const auto documents = corpus.DocumentsOfStep(step);
    EXPECT_LE(documents.back()->size() - documents.front()->size(), 1);
  }
}

TEST(TextCorpusTest, TextsWithoutTokensAndLongOnesAreMet) {
  TempDir dir;
  LearnerConfig config;
  config.documents_per_step = 1;
  config.corpus = dir.Write("c.txt", "abc\nabcdef\n\nx\n");
  const auto tokenizer = Tokenizer::Bytes();
  const auto corpus = TextCorpus::Load(config, *tokenizer, 5, 0, "sft");
  COHORT_ASSERT_OK(corpus);
  EXPECT_EQ(corpus->size(), 1);
  EXPECT_EQ(corpus->dropped_too_long(), 1);
  config.corpus = dir / "none.txt";
  EXPECT_THAT(TextCorpus::Load(config, *tokenizer, 5, 0, "sft"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("none.txt")));
}

}  // namespace
}  // namespace cohort
