#include "rollout/sampler.h"

#include <torch/types.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <set>
#include <vector>

#include "gmock/gmock.h"
#include "model/linear.h"
#include "model/logprob.h"
#include "tests/testing/status_matchers.h"

namespace cohort {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

Sampling At(double temperature, int top_k = 0, double top_p = 1) {
  Sampling sampling;
  sampling.set_temperature(temperature);
  sampling.set_top_k(top_k);
  sampling.set_top_p(top_p);
  return sampling;
}

std::vector<float> RandomLogits(size_t v, unsigned seed, float scale = 3) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal(0, scale);
  std::vector<float> logits(v);
  for (float& logit : logits) logit = normal(generator);
  return logits;
}

// The definition, in double precision.
std::vector<double> Softmax(const std::vector<float>& logits,
                            double temperature) {
  const double max = *std::max_element(logits.begin(), logits.end());
  std::vector<double> p;
  for (const float logit : logits) {
    p.push_back(std::exp((logit - max) / temperature));
  }
  const double sum = std::accumulate(p.begin(), p.end(), 0.0);
  for (double& value : p) value /= sum;
  return p;
}

SampledToken Draw(const std::vector<float>& logits, const Sampling& sampling,
                  double uniform) {
  Sampler sampler;
  const auto sampled = sampler.Sample(logits, sampling, uniform);
  EXPECT_THAT(sampled, IsOk());
  return sampled.value_or(SampledToken{-1, 0});
}

TEST(SamplerTest, InvertsTheCumulativeDistributionInTokenOrder) {
  for (const size_t v :
       {size_t{1}, size_t{3}, size_t{64}, size_t{129}, size_t{1000}}) {
    const std::vector<float> logits = RandomLogits(v, 1);
    for (const double temperature : {0.5, 1.0, 2.0}) {
      const std::vector<double> p = Softmax(logits, temperature);
      double below = 0;
      for (size_t token = 0; token < v; ++token) {
        // The edges are blurred by float32's rounding.
        if (p[token] > 1e-4) {
          const double inside = 0.02 * p[token];
          EXPECT_EQ(Draw(logits, At(temperature), below + inside).token, token);
          EXPECT_EQ(
              Draw(logits, At(temperature), below + p[token] - inside).token,
              token);
        }
        below += p[token];
      }
    }
  }
}

TEST(SamplerTest, LogprobIsOfTheFullSoftmaxAtTheSamplingTemperature) {
  const std::vector<float> logits = RandomLogits(64, 2);
  for (const double temperature : {0.3, 1.0, 1.7}) {
    const std::vector<double> p = Softmax(logits, temperature);
    for (double u = 0.05; u < 1; u += 0.1) {
      for (const auto& [top_k, top_p] :
           {std::pair(0, 1.0), std::pair(5, 1.0), std::pair(0, 0.7)}) {
        const SampledToken sampled =
            Draw(logits, At(temperature, top_k, top_p), u);
        EXPECT_NEAR(sampled.logprob, std::log(p[sampled.token]), 2e-6);
      }
    }
  }
}

TEST(SamplerTest, LogprobHasTheBitsThatTheLearnerFinds) {
  const at::Tensor hidden = torch::randn({50, 16});
  const at::Tensor head = torch::randn({37, 16});
  const at::Tensor logits = Linear(hidden, head);
  std::vector<int64_t> tokens;
  std::vector<float> logprobs;
  for (int64_t row = 0; row < 50; ++row) {
    Sampler sampler;
    const auto sampled =
        sampler.Sample({logits[row].const_data_ptr<float>(), 37}, At(0.8),
                       static_cast<double>(row) / 50);
    COHORT_ASSERT_OK(sampled);
    tokens.push_back(sampled->token);
    logprobs.push_back(sampled->logprob);
  }
  const at::Tensor found =
      LogprobsOfTokens(hidden, head, at::tensor(tokens), 0.8).logprobs;
  EXPECT_TRUE(at::equal(found, at::tensor(logprobs)));
}

TEST(SamplerTest, GreedyTakesTheLowestOfEqualsAndReportsTemperatureOne) {
  const std::vector<float> logits = {1, 4, 2, 4, 4};
  const SampledToken sampled = Draw(logits, At(0), 0.99);
  EXPECT_EQ(sampled.token, 1);
  EXPECT_NEAR(sampled.logprob, std::log(Softmax(logits, 1)[1]), 1e-6);
}

// Tokens that can come out at all.
std::set<int32_t> Reachable(const std::vector<float>& logits,
                            const Sampling& sampling) {
  std::set<int32_t> tokens;
  for (int i = 0; i < 400; ++i) {
    tokens.insert(Draw(logits, sampling, (i + 0.5) / 400).token);
  }
  return tokens;
}

TEST(SamplerTest, TopKKeepsTheLikeliestAndOfEqualsTheLowest) {
  EXPECT_THAT(Reachable({1, 3, 2, 2, 0, 2}, At(1, 3)), ElementsAre(1, 2, 3));
  EXPECT_THAT(Reachable({1, 3, 2, 2, 0, 2}, At(1, 1)), ElementsAre(1));
}

TEST(SamplerTest, TopPKeepsTheFewestThatReachIt) {
  // Probabilities 0.5, 0.25, 0.125, 0.125.
  const std::vector<float> logits = {0, std::log(4.0f), std::log(2.0f), 0};
  EXPECT_THAT(Reachable(logits, At(1, 0, 0.45)), ElementsAre(1));
  EXPECT_THAT(Reachable(logits, At(1, 0, 0.55)), ElementsAre(1, 2));
  EXPECT_THAT(Reachable(logits, At(1, 0, 0.80)), ElementsAre(0, 1, 2));
  EXPECT_THAT(Reachable(logits, At(1, 0, 0.95)), ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(Reachable(logits, At(1, 0, 1e-9)), ElementsAre(1));
  // Of the two likeliest, the first has two thirds.
  EXPECT_THAT(Reachable(logits, At(1, 2, 0.6)), ElementsAre(1));
  EXPECT_THAT(Reachable(logits, At(1, 2, 0.7)), ElementsAre(1, 2));
}

// More tokens than are sorted at first, against the definition.
TEST(SamplerTest, TopPOfAFlatDistributionIsExactToo) {
  const std::vector<float> logits = RandomLogits(2000, 5, 0.3f);
  const std::vector<double> p = Softmax(logits, 1);
  std::vector<int32_t> order(logits.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](int32_t a, int32_t b) { return logits[a] > logits[b]; });
  std::vector<double> kept(logits.size(), 0);
  double sum = 0;
  for (const int32_t token : order) {
    if (sum >= 0.6) break;
    kept[token] = p[token];
    sum += p[token];
  }
  double below = 0;
  for (size_t token = 0; token < kept.size(); ++token) {
    if (kept[token] == 0) continue;
    EXPECT_EQ(
        Draw(logits, At(1, 0, 0.6), (below + kept[token] / 2) / sum).token,
        token);
    below += kept[token];
  }
}

TEST(SamplerTest, WhatHasNoProbabilityIsNeverChosen) {
  const std::vector<float> logits = {-kInfinity, 1, -200, 2, -kInfinity};
  EXPECT_EQ(Draw(logits, At(1), 0).token, 1);
  EXPECT_EQ(Draw(logits, At(1), 1 - 0x1p-53).token, 3);
  EXPECT_EQ(Draw(logits, At(1, 4), 0).token, 1);
  EXPECT_EQ(Draw(logits, At(1, 4), 1 - 0x1p-53).token, 3);
}

TEST(SamplerTest, LogitsThatAreNotFiniteAreReported) {
  Sampler sampler;
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const Sampling& sampling : {At(1), At(0), At(1, 2), At(1, 0, 0.5)}) {
    for (const std::vector<float>& logits :
         {std::vector<float>{1, nan, 2}, std::vector<float>{1, kInfinity, 2},
          std::vector<float>{-kInfinity, -kInfinity}}) {
      EXPECT_THAT(
          sampler.Sample(logits, sampling, 0.5),
          StatusIs(absl::StatusCode::kInternal, HasSubstr("not finite")));
    }
  }
}

}  // namespace
}  // namespace cohort
