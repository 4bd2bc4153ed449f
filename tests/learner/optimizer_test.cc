#include "learner/optimizer.h"

#include <torch/types.h>

#include <cmath>
#include <limits>
#include <vector>

#include "gmock/gmock.h"
#include "tests/testing/status_matchers.h"

namespace cohort {
namespace {

using ::testing::HasSubstr;

at::Tensor Leaf(const std::vector<float>& values, at::IntArrayRef shape) {
  return torch::tensor(values).reshape(shape).set_requires_grad(true);
}

// The gradients of the golden run at step `s`.
void SetGradients(int s, const at::Tensor& matrix, const at::Tensor& bias) {
  std::vector<float> values;
  for (int i = 0; i < 2; ++i) {
    for (int j = 0; j < 3; ++j) {
      const float sign = (s + j) % 2 == 0 ? 1.0f : -1.0f;
      values.push_back(static_cast<float>(i * 3 + j + 1) * 0.3f * sign +
                       0.05f * static_cast<float>(s));
    }
  }
  matrix.mutable_grad() = torch::tensor(values).view({2, 3});
  bias.mutable_grad() = torch::tensor(
      {0.2f * static_cast<float>(s + 1), -0.7f + 0.3f * static_cast<float>(s)});
}

// torch 2.11.0: torch.optim.AdamW with weight_decay 0.1 on the matrix alone,
// betas (0.9, 0.95), clip_grad_norm_ to 1.0, rates 0.01, 0.02, 0.03, 0.04.
TEST(AdamWTest, EqualsTorchOverFourSteps) {
  const at::Tensor matrix =
      Leaf({0.5f, -1.25f, 2.0f, 0.125f, 0.75f, -0.375f}, {2, 3});
  const at::Tensor bias = Leaf({0.25f, -0.5f}, {2});
  LearnerConfig config;
  config.weight_decay = 0.1;
  AdamW optimizer({{"w", matrix}, {"b", bias}}, config);
  const double norms[] = {2.9529645442962646, 2.8835740089416504,
                          3.0066592693328857, 2.8939592838287354};
  for (int s = 0; s < 4; ++s) {
    SetGradients(s, matrix, bias);
    EXPECT_NEAR(optimizer.Step(0.01 * (s + 1)).gradient_norm, norms[s], 1e-6);
  }
  const at::Tensor matrix_after = torch::tensor(
      {0.46217307448387146, -1.2303341627120972, 1.9588381052017212,
       0.1039746031165123, 0.7546263933181763, -0.389597624540329});
  const at::Tensor bias_after =
      torch::tensor({0.15488097071647644, -0.425444632768631});
  // Two float32 roundings per step: 4 * 2 * 6e-8.
  EXPECT_LE(
      (matrix.detach().flatten() - matrix_after).abs().max().item<double>(),
      5e-7);
  EXPECT_LE((bias.detach() - bias_after).abs().max().item<double>(), 5e-7);
}

TEST(AdamWTest, NormsBiasesAndEmbeddingsDoNotDecay) {
  const at::Tensor matrix = Leaf({1, 1}, {1, 2});
  const at::Tensor norm = Leaf({1, 1}, {2});
  const at::Tensor embedding = Leaf({1, 1}, {1, 2});
  LearnerConfig config;
  config.weight_decay = 0.5;
  AdamW optimizer({{"model.layers.0.mlp.weight", matrix},
                   {"model.norm.weight", norm},
                   {"model.embed_tokens.weight", embedding}},
                  config);
  optimizer.Step(0.1);  // Without gradients only the decay moves anything.
  EXPECT_FLOAT_EQ(matrix[0][0].item<float>(), 0.95f);
  EXPECT_FLOAT_EQ(norm[0].item<float>(), 1.0f);
  EXPECT_FLOAT_EQ(embedding[0][0].item<float>(), 1.0f);
}

TEST(AdamWTest, AGradientThatIsNotFiniteChangesNothing) {
  const at::Tensor weight = Leaf({1, 2}, {2});
  AdamW optimizer({{"w", weight}}, {});
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(),
                          std::numeric_limits<float>::infinity()}) {
    weight.mutable_grad() = torch::tensor({1.0f, bad});
    EXPECT_TRUE(optimizer.Step(0.1).skipped);
    EXPECT_FALSE(weight.grad().defined());
  }
  EXPECT_EQ(optimizer.steps(), 0);
  EXPECT_TRUE(at::equal(weight.detach(), torch::tensor({1.0f, 2.0f})));
  EXPECT_TRUE(at::equal(optimizer.State()[0].tensor, at::zeros({2})));
}

TEST(AdamWTest, HalfWeightsHaveMastersThatKeepSmallSteps) {
  const at::Tensor weight =
      at::ones({1}, at::kBFloat16).set_requires_grad(true);
  LearnerConfig config;
  AdamW optimizer({{"w", weight}}, config);
  for (int i = 0; i < 100; ++i) {
    weight.mutable_grad() = at::ones({1}, at::kBFloat16);
    optimizer.Step(1e-4);  // Far below bfloat16's step of 2^-8 at 1.
  }
  EXPECT_NEAR(weight.item<float>(), 0.99f, 0.004f);
}

TEST(AdamWTest, ARestoredOptimizerGoesOnAsIfNothingHappened) {
  const auto run = [](int interrupted_after) {
    at::Tensor weight = Leaf({1, -2, 3}, {3});
    auto optimizer = std::make_unique<AdamW>(
        std::vector<NamedTensor>{{"w", weight}}, LearnerConfig());
    for (int s = 0; s < 6; ++s) {
      if (s == interrupted_after) {
        std::vector<NamedTensor> saved;
        for (const NamedTensor& named : optimizer->State()) {
          saved.push_back({named.name, named.tensor.clone()});
        }
        const int64_t steps = optimizer->steps();
        weight = weight.detach().clone().set_requires_grad(true);
        optimizer = std::make_unique<AdamW>(
            std::vector<NamedTensor>{{"w", weight}}, LearnerConfig());
        COHORT_EXPECT_OK(optimizer->Restore(saved, steps));
      }
      weight.mutable_grad() =
          torch::tensor({0.3f, -0.1f * static_cast<float>(s), 0.7f});
      optimizer->Step(0.01);
    }
    return weight.detach();
  };
  EXPECT_TRUE(at::equal(run(-1), run(3)));
}

TEST(AdamWTest, AForeignStateIsRefusedByName) {
  const at::Tensor weight = Leaf({1, 2}, {2});
  AdamW optimizer({{"w", weight}}, {});
  EXPECT_THAT(
      optimizer.Restore({{"w.first", at::zeros({2})}}, 1),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("w.second")));
  EXPECT_THAT(
      optimizer.Restore(
          {{"w.first", at::zeros({2})}, {"w.second", at::zeros({3})}}, 1),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("w.second")));
}

TEST(LearningRateTest, WarmsUpThenDecays) {
  LearnerConfig config;
  config.learning_rate = 1.0;
  config.warmup_steps = 4;
  config.final_rate = 0.1;
  for (const char* schedule : {"constant", "linear", "cosine"}) {
    config.schedule = schedule;
    EXPECT_DOUBLE_EQ(LearningRateAt(config, 0, 24), 0.25) << schedule;
    EXPECT_DOUBLE_EQ(LearningRateAt(config, 3, 24), 1.0) << schedule;
    EXPECT_DOUBLE_EQ(LearningRateAt(config, 4, 24), 1.0) << schedule;
  }
  config.schedule = "constant";
  EXPECT_DOUBLE_EQ(LearningRateAt(config, 23, 24), 1.0);
  config.schedule = "linear";  // Half of the way after 10 of 20 steps.
  EXPECT_DOUBLE_EQ(LearningRateAt(config, 14, 24), 0.55);
  EXPECT_DOUBLE_EQ(LearningRateAt(config, 24, 24), 0.1);
  config.schedule = "cosine";
  EXPECT_NEAR(LearningRateAt(config, 14, 24), 0.55, 1e-12);
  EXPECT_NEAR(LearningRateAt(config, 9, 24),
              0.1 + 0.9 * (1 + std::cos(M_PI / 4)) / 2, 1e-12);
}

}  // namespace
}  // namespace cohort
