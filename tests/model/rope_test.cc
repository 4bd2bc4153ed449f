#include "model/rope.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

namespace cohort {
namespace {

RopeConfig PublishedRope(const nlohmann::json& row) {
  RopeConfig rope;
  rope.type = RopeType::kYarn;
  rope.theta = row["theta"];
  rope.factor = row["factor"];
  rope.original_max_position_embeddings = row["original"];
  return rope;
}

TEST(RopeTest, FrequenciesAreThoseOfThePublishedModels) {
  const nlohmann::json table =
      nlohmann::json::parse(std::ifstream("tests/data/yarn_mla.json"));
  for (const auto& [name, row] : table["cases"].items()) {
    const auto got = RopeFrequencies(PublishedRope(row), row["dim"]);
    ASSERT_EQ(got.size(), row["inv_freq"].size()) << name;
    for (size_t i = 0; i < got.size(); ++i) {
      const double want = row["inv_freq"][i];
      EXPECT_NEAR(got[i], want, 1e-12 * want) << name << " " << i;
    }
  }
}

TEST(RopeTest, SoftmaxScalesAreThoseOfThePublishedModels) {
  const nlohmann::json table =
      nlohmann::json::parse(std::ifstream("tests/data/yarn_mla.json"));
  ModelConfig config;
  config.kv_lora_rank = 512;
  config.qk_nope_head_dim = 128;
  config.qk_rope_head_dim = 64;
  config.rope = PublishedRope(table["cases"]["v3_r1_v3.2"]);
  EXPECT_NEAR(config.SoftmaxScale(), 1 / std::sqrt(192.0), 1e-15);
  config.rope.mscale = 1;
  config.rope.mscale_all_dim = 1;
  EXPECT_NEAR(config.SoftmaxScale(), 0.1352337788608801, 1e-15);
  EXPECT_EQ(config.rope.Amplitude(), 1);
  config.rope.mscale = config.rope.mscale_all_dim = 0.707;
  EXPECT_NEAR(config.SoftmaxScale(), 0.1147213867929261, 1e-15);
}

// mscale acts twice, and unequally when the two numbers differ.
TEST(RopeTest, UnequalMscalesScaleTheTables) {
  RopeConfig rope;
  rope.type = RopeType::kYarn;
  rope.factor = 40;
  rope.original_max_position_embeddings = 4096;
  rope.mscale = 0.5;
  rope.mscale_all_dim = 1;
  const double m_half = 0.1 * 0.5 * std::log(40.0) + 1;
  const double m_one = 0.1 * std::log(40.0) + 1;
  EXPECT_NEAR(rope.Amplitude(), m_half / m_one, 1e-15);
  EXPECT_NEAR(rope.SoftmaxFactor(), m_one * m_one, 1e-14);
  rope.mscale_all_dim = 0;
  EXPECT_NEAR(rope.Amplitude(), m_one, 1e-15);
  EXPECT_EQ(rope.SoftmaxFactor(), 1);
  const RopeTables tables = MakeRopeTables(rope, 8, 3, at::kCPU);
  EXPECT_NEAR(tables.cos[0][0].item<double>(), m_one, 1e-6);
}

// Llama 3.1's published numbers: waves shorter than 8192 / 4 are kept, longer
// than 8192 / 1 stretched by 8, and what lies between is in between.
TEST(RopeTest, Llama3StretchesLongWavesOnly) {
  RopeConfig plain;
  plain.theta = 500000;
  RopeConfig rope = plain;
  rope.type = RopeType::kLlama3;
  rope.factor = 8;
  rope.original_max_position_embeddings = 8192;
  const auto before = RopeFrequencies(plain, 128);
  const auto after = RopeFrequencies(rope, 128);
  int between = 0;
  for (size_t i = 0; i < before.size(); ++i) {
    const double wave = 2 * std::acos(-1.0) / before[i];
    if (wave < 2048) {
      EXPECT_EQ(after[i], before[i]) << i;
    } else if (wave > 8192) {
      EXPECT_DOUBLE_EQ(after[i], before[i] / 8) << i;
    } else {
      EXPECT_LT(after[i], before[i]) << i;
      EXPECT_GT(after[i], before[i] / 8) << i;
      ++between;
    }
  }
  EXPECT_GT(between, 0);
  EXPECT_EQ(rope.Amplitude(), 1);
}

TEST(RopeTest, AStatedAttentionFactorReplacesTheFormula) {
  RopeConfig rope;
  rope.type = RopeType::kYarn;
  rope.factor = 4;
  EXPECT_NEAR(rope.Amplitude(), 0.1 * std::log(4.0) + 1, 1e-15);
  rope.attention_factor = 0.5;
  EXPECT_EQ(rope.Amplitude(), 0.5);
}

class RotateTest : public testing::TestWithParam<bool> {};

// The defining property: scores depend on the distance of positions alone.
TEST_P(RotateTest, ScoresDependOnDistance) {
  RopeConfig rope;
  const int64_t width = 8;
  const RopeTables tables = MakeRopeTables(rope, width, 64, at::kCPU);
  const at::Tensor q = at::randn({1, 2, width});
  const at::Tensor k = at::randn({1, 2, width});
  const auto score = [&](int64_t i, int64_t j) {
    const auto turn = [&](const at::Tensor& x, int64_t at) {
      return Rotate(x, tables.cos.narrow(0, at, 1), tables.sin.narrow(0, at, 1),
                    GetParam());
    };
    return (turn(q, i) * turn(k, j)).sum(-1);
  };
  EXPECT_TRUE(at::allclose(score(10, 3), score(50, 43), 1e-4, 1e-5));
  EXPECT_FALSE(at::allclose(score(10, 3), score(10, 4), 1e-4, 1e-5));
}

TEST_P(RotateTest, PairsAreTheRightOnes) {
  const at::Tensor x = at::arange(1, 7, at::kFloat).view({1, 1, 6});
  const at::Tensor cos =
      at::zeros({1, 3});  // A quarter turn: (a, b) -> (-b, a)
  const at::Tensor sin = at::ones({1, 3});
  const at::Tensor turned = Rotate(x, cos, sin, GetParam()).flatten();
  const at::Tensor want = GetParam()
                              ? at::tensor({-2.f, 1.f, -4.f, 3.f, -6.f, 5.f})
                              : at::tensor({-4.f, -5.f, -6.f, 1.f, 2.f, 3.f});
  EXPECT_TRUE(at::equal(turned, want));
}

INSTANTIATE_TEST_SUITE_P(Layouts, RotateTest, testing::Bool());

}  // namespace
}  // namespace cohort
