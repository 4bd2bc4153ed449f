#include "model/mtp.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/types.h>

#include <nlohmann/json.hpp>

#include "model/checkpoint.h"
#include "model/safetensors.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/stored_tensors.h"
#include "tests/testing/temp_dir.h"
#include "tests/testing/tiny_model.h"

namespace cohort {
namespace {

using testing::ElementsAre;

constexpr char kFolder[] = "tests/data/parity/deepseek_v3_mtp";

std::unique_ptr<Transformer> Load(const std::string& folder) {
  const auto config = LoadModelConfig(folder);
  COHORT_EXPECT_OK(config);
  auto model = Transformer::Create(*config, at::kFloat, at::kCPU);
  COHORT_EXPECT_OK(model);
  COHORT_EXPECT_OK(LoadWeights(folder, model->get()));
  return *std::move(model);
}

at::Tensor MtpLogits(const Transformer& model,
                     const std::vector<std::vector<int32_t>>& sequences) {
  const PackedTokens packed = PackSequences(sequences, at::kCPU);
  const ForwardResult main = model.Forward(packed);
  return at::linear(model.PredictAhead(ShiftByOne(packed), main.hidden).hidden,
                    model.Head());
}

TEST(ShiftByOneTest, RowsPairWithTheNextToken) {
  const MtpBatch batch =
      ShiftByOne(PackSequences({{7, 8, 9}, {4}, {5, 6}}, at::kCPU));
  EXPECT_TRUE(at::equal(batch.rows, at::tensor({0, 1, 4}, at::kLong)));
  EXPECT_TRUE(at::equal(batch.next.tokens, at::tensor({8, 9, 6}, at::kLong)));
  EXPECT_TRUE(
      at::equal(batch.next.positions, at::tensor({0, 1, 0}, at::kLong)));
  EXPECT_THAT(batch.next.offsets, ElementsAre(0, 2, 3));
}

class MtpParityTest : public testing::Test {
 protected:
  MtpParityTest()
      : reference_(std::string(kFolder) + "/reference.safetensors"),
        model_(Load(std::string(kFolder) + "/fp32")) {}

  static std::string Name(int s, const std::string& what) {
    return "s" + std::to_string(s) + "." + what;
  }

  StoredTensors reference_;
  std::unique_ptr<Transformer> model_;
};

// transformers' MtpModel on the same weights: 1e-4 of the largest logit, as the
// fixture's manifest. The hidden state before the final norm gives others.
TEST_F(MtpParityTest, LogitsEqualTransformers) {
  const at::NoGradGuard no_grad;
  for (int s = 0; s < 3; ++s) {
    const at::Tensor got =
        MtpLogits(*model_, {reference_.Ids(Name(s, "input_ids"))});
    const at::Tensor want = reference_.Get(Name(s, "mtp.post_norm.logits"));
    const double bound = 1e-4 * want.abs().max().item<double>();
    EXPECT_LE((got - want).abs().max().item<double>(), bound);
    const at::Tensor other = reference_.Get(Name(s, "mtp.pre_norm.logits"));
    EXPECT_GT((got - other).abs().max().item<double>(), 100 * bound);
  }
}

TEST_F(MtpParityTest, PackedSequencesDoNotSeeEachOther) {
  const at::NoGradGuard no_grad;
  std::vector<std::vector<int32_t>> sequences;
  std::vector<at::Tensor> wanted;
  for (int s = 0; s < 3; ++s) {
    sequences.push_back(reference_.Ids(Name(s, "input_ids")));
    wanted.push_back(reference_.Get(Name(s, "mtp.post_norm.logits")));
  }
  const at::Tensor want = at::cat(wanted);
  EXPECT_LE((MtpLogits(*model_, sequences) - want).abs().max().item<double>(),
            1e-4 * want.abs().max().item<double>());
}

// The head comes out of a saved folder as it went in, with its copies.
TEST_F(MtpParityTest, TheHeadIsSavedAgain) {
  const TempDir folder;
  const std::string source = std::string(kFolder) + "/fp32";
  COHORT_ASSERT_OK(SaveFolder(*model_, TempDir::Read(source + "/config.json"),
                              source, folder / "m"));
  const auto before = SafetensorsFile::Open(source + "/model.safetensors");
  const auto after = SafetensorsFile::Open(folder / "m/model.safetensors");
  COHORT_ASSERT_OK(before);
  COHORT_ASSERT_OK(after);
  ASSERT_EQ((*after)->tensors().size(), (*before)->tensors().size());
  for (const StoredTensor& tensor : (*before)->tensors()) {
    const StoredTensor* const saved = (*after)->Find(tensor.name);
    ASSERT_NE(saved, nullptr) << tensor.name;
    EXPECT_EQ(saved->shape, tensor.shape) << tensor.name;
    EXPECT_TRUE(saved->bytes == tensor.bytes) << tensor.name;
  }
  const auto config = LoadModelConfig(folder / "m");
  COHORT_ASSERT_OK(config);
  EXPECT_EQ(config->num_nextn_predict_layers, 1);
}

// What transformers saves: a config that speaks of the head, and no head.
TEST(MtpFolderTest, AFolderWithoutTheHeadIsAModelWithoutIt) {
  const TempDir folder;
  nlohmann::json root = nlohmann::json::parse(TinyConfigJson());
  const auto plain = MakeTinyModel(3);
  root["num_nextn_predict_layers"] = 1;
  COHORT_ASSERT_OK(SaveFolder(*plain, root.dump(), "", folder / "m"));
  const auto model = Load(folder / "m");
  EXPECT_EQ(model->config().num_nextn_predict_layers, 0);
  EXPECT_TRUE(model->MtpParameters().empty());
  const auto json = ReadConfigJson(folder / "m");
  COHORT_ASSERT_OK(json);
  EXPECT_EQ(nlohmann::json::parse(*json)["num_nextn_predict_layers"], 0);
}

// Against differences of the loss in float64, where its error is about 1e-9 of
// the values: into the head's own weights and through it into the model's.
TEST(MtpGradientTest, EqualsNumericDifferences) {
  nlohmann::json root = nlohmann::json::parse(TinyConfigJson());
  root["num_nextn_predict_layers"] = 1;
  const auto config = ParseModelConfig(root.dump(), "tiny");
  COHORT_ASSERT_OK(config);
  const auto model = MakeModel(*config, 5, at::kDouble);
  model->SetTrainable(true);
  const std::vector<std::vector<int32_t>> sequences = {{3, 1, 4, 1, 5, 9},
                                                       {2, 6, 5}};
  const auto loss = [&] {
    return MtpLogits(*model, sequences).log_softmax(-1).square().sum();
  };
  loss().backward();
  std::vector<NamedTensor> leaves = model->MtpParameters();
  for (const NamedTensor& leaf : model->Parameters()) leaves.push_back(leaf);
  constexpr double kStep = 1e-6;
  int compared = 0;
  for (const NamedTensor& leaf : leaves) {
    if (leaf.name != "mtp.project" && leaf.name != "mtp.hidden_norm" &&
        leaf.name != "mtp.layer.attention.kv_b" &&
        leaf.name != "embed_tokens" && leaf.name != "layers.0.mlp.down") {
      continue;
    }
    const at::NoGradGuard no_grad;
    const at::Tensor flat = leaf.tensor.detach().flatten();
    const at::Tensor slope = leaf.tensor.grad().flatten();
    const int64_t i = slope.abs().argmax().item<int64_t>();
    const double value = flat[i].item<double>();
    flat[i].fill_(value + kStep);
    const double above = loss().item<double>();
    flat[i].fill_(value - kStep);
    const double below = loss().item<double>();
    flat[i].fill_(value);
    const double want = (above - below) / (2 * kStep);
    EXPECT_NEAR(slope[i].item<double>(), want, 1e-4 * std::abs(want))
        << leaf.name;
    ++compared;
  }
  EXPECT_EQ(compared, 5);
}

TEST(MtpFolderTest, AModelWithoutTheHeadThrows) {
  const auto model = MakeTinyModel();
  EXPECT_THROW(MtpLogits(*model, {{1, 2, 3}}), c10::Error);
}

}  // namespace
}  // namespace cohort
