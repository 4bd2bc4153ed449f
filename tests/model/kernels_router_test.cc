// The choice of experts, on scores made by hand: x is one-hot, so that row n of
// the transposed gate is the logits of token n.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/types.h>

#include <cmath>
#include <vector>

#include "model/attention.h"
#include "model/logprob.h"
#include "model/moe.h"

namespace cohort {
namespace {

using ::testing::ElementsAre;

double Logit(double score) { return std::log(score / (1 - score)); }

struct OneRow {
  std::vector<int64_t> experts;
  std::vector<double> weights;
};

OneRow Route(const std::vector<double>& scores, const std::vector<float>& bias,
             const RouterSettings& settings, at::ScalarType type) {
  const int64_t count = static_cast<int64_t>(scores.size());
  const at::Tensor gate = at::empty({count, 1}, at::kDouble);
  for (int64_t e = 0; e < count; ++e) gate[e][0] = Logit(scores[e]);
  const Routes routes = RouteTokens(at::ones({1, 1}, type), gate.to(type),
                                    at::tensor(bias, at::kFloat), settings);
  OneRow row;
  for (int64_t j = 0; j < settings.experts_per_token; ++j) {
    row.experts.push_back(routes.experts[0][j].item<int64_t>());
    row.weights.push_back(routes.weights[0][j].item<double>());
  }
  return row;
}

// Both the kernels (float32) and the composition (float64).
class RouterTest : public testing::TestWithParam<at::ScalarType> {};

TEST_P(RouterTest, TiesGoToTheLowerIndex) {
  const RouterSettings settings = {.experts_per_token = 2};
  EXPECT_THAT(
      Route({0.5, 0.5, 0.5, 0.5}, {0, 0, 0, 0}, settings, GetParam()).experts,
      ElementsAre(0, 1));
}

TEST_P(RouterTest, BiasChoosesButDoesNotWeigh) {
  const RouterSettings settings = {.experts_per_token = 2, .scaling = 2.5};
  const OneRow row =
      Route({0.9, 0.6, 0.3, 0.1}, {0, -1, 0, 0.5}, settings, GetParam());
  EXPECT_THAT(row.experts, ElementsAre(0, 3));
  EXPECT_NEAR(row.weights[0], 2.5 * 0.9 / 1.0, 1e-6);
  EXPECT_NEAR(row.weights[1], 2.5 * 0.1 / 1.0, 1e-6);
}

TEST_P(RouterTest, WeightsNeedNotAddToOne) {
  const RouterSettings settings = {.experts_per_token = 2, .normalise = false};
  const OneRow row =
      Route({0.9, 0.6, 0.3, 0.1}, {0, 0, 0, 0}, settings, GetParam());
  EXPECT_NEAR(row.weights[0], 0.9, 1e-6);
  EXPECT_NEAR(row.weights[1], 0.6, 1e-6);
}

// Groups {0, 1, 2} and {3, 4, 5}: the best expert stands in the group whose two
// best are worse together.
TEST_P(RouterTest, GroupsCompeteByTheirTwoBest) {
  const RouterSettings settings = {
      .experts_per_token = 2, .groups = 2, .groups_per_token = 1};
  EXPECT_THAT(Route({0.9, 0.1, 0.1, 0.6, 0.6, 0.1}, {0, 0, 0, 0, 0, 0},
                    settings, GetParam())
                  .experts,
              ElementsAre(3, 4));
}

// DeepSeek-V2: the same scores, but the group with the best expert wins.
TEST_P(RouterTest, GroupsCompeteByTheirBest) {
  const RouterSettings settings = {.group_best = 1,
                                   .experts_per_token = 2,
                                   .groups = 2,
                                   .groups_per_token = 1};
  EXPECT_THAT(Route({0.9, 0.1, 0.2, 0.6, 0.6, 0.1}, {0, 0, 0, 0, 0, 0},
                    settings, GetParam())
                  .experts,
              ElementsAre(0, 2));
}

TEST_P(RouterTest, SoftmaxScoresAddToOneOverAllExperts) {
  const RouterSettings settings = {.softmax = true,
                                   .experts_per_token = 2,
                                   .normalise = false,
                                   .scaling = 16};
  const at::Tensor gate = at::tensor({0.0, 1.0, 2.0, -1.0}, at::kDouble)
                              .view({4, 1})
                              .to(GetParam());
  const Routes routes =
      RouteTokens(at::ones({1, 1}, GetParam()), gate, {}, settings);
  const double sum = 1 + std::exp(1.0) + std::exp(2.0) + std::exp(-1.0);
  EXPECT_EQ(routes.experts[0][0].item<int64_t>(), 1);
  EXPECT_EQ(routes.experts[0][1].item<int64_t>(), 2);
  EXPECT_NEAR(routes.weights[0][0].item<double>(), 16 * std::exp(1.0) / sum,
              1e-5);
  EXPECT_NEAR(routes.weights[0][1].item<double>(), 16 * std::exp(2.0) / sum,
              1e-5);
}

// All biased scores are negative: masking other groups by zero would choose
// from them.
TEST_P(RouterTest, NegativeScoresStayInTheirGroup) {
  const RouterSettings settings = {
      .experts_per_token = 2, .groups = 2, .groups_per_token = 1};
  EXPECT_THAT(
      Route({0.2, 0.2, 0.3, 0.3}, {-1, -1, -1, -1}, settings, GetParam())
          .experts,
      ElementsAre(2, 3));
}

TEST_P(RouterTest, GroupsOfOneExpert) {
  const RouterSettings settings = {
      .experts_per_token = 2, .groups = 4, .groups_per_token = 2};
  EXPECT_THAT(
      Route({0.2, 0.7, 0.3, 0.8}, {0, 0, 0, 0}, settings, GetParam()).experts,
      ElementsAre(1, 3));
}

TEST_P(RouterTest, ForcedExpertsAreWeighedNotChosen) {
  const RouterSettings settings = {.experts_per_token = 2};
  const at::Tensor gate =
      at::tensor({Logit(0.9), Logit(0.6), Logit(0.3)}, at::kDouble)
          .view({3, 1})
          .to(GetParam());
  const at::Tensor forced = at::tensor({1, 2}, at::kLong).view({1, 2});
  const Routes routes =
      RouteTokens(at::ones({1, 1}, GetParam()), gate,
                  at::zeros({3}, at::kFloat), settings, &forced);
  EXPECT_TRUE(routes.experts.equal(forced));
  EXPECT_NEAR(routes.weights[0][0].item<double>(), 0.6 / 0.9, 1e-6);
}

// They index memory, and may come from another process.
TEST(IndicesTest, OutOfRangeIsAnErrorNotAWildRead) {
  const RouterSettings settings = {.experts_per_token = 1};
  const at::Tensor x = at::ones({1, 2}, at::kFloat);
  const at::Tensor three = at::full({1, 1}, 3, at::kLong);
  const at::Tensor gate = at::ones({3, 2}, at::kFloat);
  EXPECT_THROW(
      RouteTokens(x, gate, at::zeros({3}, at::kFloat), settings, &three),
      c10::IndexError);
  EXPECT_THROW(RunExperts(x, three, at::ones({1, 1}, at::kFloat),
                          at::ones({3, 4, 2}, at::kFloat),
                          at::ones({3, 2, 2}, at::kFloat)),
               c10::IndexError);
  EXPECT_THROW(LogprobsOfTokens(x, gate, three.view({1}), 1.0),
               c10::IndexError);
  const PagedContext where = {.cache = at::ones({3, 1, 4}, at::kFloat),
                              .block_tables = at::full({1, 1}, 3, at::kInt),
                              .context = at::ones({1}, at::kInt),
                              .selected = {}};
  EXPECT_THROW(
      PagedAttention(
          x.view({1, 1, 2}), where,
          {.kv_heads = 1, .key_width = 2, .value_at = 2, .value_width = 2},
          1.0),
      c10::IndexError);
}

INSTANTIATE_TEST_SUITE_P(All, RouterTest,
                         testing::Values(at::kFloat, at::kDouble));

}  // namespace
}  // namespace cohort
