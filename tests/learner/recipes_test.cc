// Published objectives, written out from their papers in float64, and what the
// presets in configs/ make of them.
#include <torch/types.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "configs/config.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "learner/advantage.h"
#include "learner/grpo_loss.h"
#include "learner/loss_cases.h"
#include "tests/testing/status_matchers.h"

namespace cohort {
namespace {

using Json = nlohmann::json;

// One completion of a group.
struct Completion {
  double reward;
  std::vector<double> logp, old, ref;  // Nats, one per token.
};

// Ratios from far below to far above every clip.
std::vector<Completion> MakeGroup() {
  uint64_t state = 11;
  const auto draw = [&state] {  // Uniform in (-1, 1).
    state = state * 6364136223846793005u + 1442695040888963407u;
    return static_cast<double>(state >> 11) / (1ull << 52) - 1;
  };
  std::vector<Completion> group;
  for (const int length : {3, 7, 1, 12, 5}) {
    Completion& own = group.emplace_back();
    own.reward = 1.5 * draw();
    const double drift = 0.8 * draw();
    for (int t = 0; t < length; ++t) {
      own.logp.push_back(-1.5 + draw());
      own.old.push_back(own.logp.back() + drift + 0.9 * draw());
      own.ref.push_back(own.logp.back() + 0.7 * draw());
    }
  }
  group[1].reward = 2;
  group[1].old[2] = group[1].logp[2] - 3;  // A ratio of 20: beyond 1 + 10.
  group[2].old[0] = group[2].logp[0] - 3;
  return group;
}

double MeanReward(const std::vector<Completion>& group) {
  double sum = 0;
  for (const Completion& own : group) sum += own.reward;
  return sum / static_cast<double>(group.size());
}

double StdReward(const std::vector<Completion>& group) {
  const double mean = MeanReward(group);
  double squares = 0;
  for (const Completion& own : group) squares += std::pow(own.reward - mean, 2);
  return std::sqrt(squares / static_cast<double>(group.size() - 1));
}

double Clip(double value, double low, double high) {
  return value < low ? low : value > high ? high : value;
}

double Surrogate(double ratio, double advantage, double low, double high) {
  return std::min(ratio * advantage,
                  Clip(ratio, 1 - low, 1 + high) * advantage);
}

double K3(double log_reference_over_policy) {
  return std::exp(log_reference_over_policy) - log_reference_over_policy - 1;
}

// What our code makes of the group.
double OurLoss(const LearnerConfig& config,
               const std::vector<Completion>& group) {
  const auto norm = ParseAdvantageNorm(config.advantage);
  const auto settings = LossSettingsOf(config);
  EXPECT_THAT(norm, IsOk());
  EXPECT_THAT(settings, IsOk());
  std::vector<double> rewards, logp, old, ref, spread;
  std::vector<int64_t> trajectory;
  LossCounts counts;
  for (const Completion& own : group) rewards.push_back(own.reward);
  const std::vector<double> advantages = GroupAdvantages(rewards, *norm);
  for (size_t i = 0; i < group.size(); ++i) {
    const Completion& own = group[i];
    counts.lengths.push_back(static_cast<int64_t>(own.logp.size()));
    logp.insert(logp.end(), own.logp.begin(), own.logp.end());
    old.insert(old.end(), own.old.begin(), own.old.end());
    ref.insert(ref.end(), own.ref.begin(), own.ref.end());
    spread.insert(spread.end(), own.logp.size(), advantages[i]);
    trajectory.insert(trajectory.end(), own.logp.size(),
                      static_cast<int64_t>(i));
  }
  const auto column = [](const std::vector<double>& values) {
    return torch::tensor(values, at::kDouble);
  };
  const at::Tensor places = torch::tensor(trajectory, at::kLong);
  const LossTokens tokens = {column(logp),   column(old), column(ref),
                             column(spread), places,      at::Tensor()};
  return GrpoLoss(GrpoTerms(tokens, *settings),
                  TokenWeights(counts, *settings).index_select(0, places),
                  *settings)
      .item<double>();
}

LearnerConfig Preset(const std::string& name) {
  const auto config = LoadConfig(absl::StrCat("configs/", name, ".yaml"), {});
  EXPECT_THAT(config, IsOk());
  return config.ok() ? config->stages[0].learner : LearnerConfig();
}

// DeepSeekMath, equations 3 and 4, with one mean over tokens in each
// completion.
double DeepSeekMathLoss(const std::vector<Completion>& group, double clip,
                        double beta) {
  double objective = 0;
  for (const Completion& own : group) {
    const double advantage =
        (own.reward - MeanReward(group)) / (StdReward(group) + 1e-4);
    double sum = 0;
    for (size_t t = 0; t < own.logp.size(); ++t) {
      sum +=
          Surrogate(std::exp(own.logp[t] - own.old[t]), advantage, clip, clip) -
          beta * K3(own.ref[t] - own.logp[t]);
    }
    objective += sum / static_cast<double>(own.logp.size());
  }
  return -objective / static_cast<double>(group.size());
}

TEST(RecipesTest, DeepSeekMath) {
  const auto group = MakeGroup();
  EXPECT_NEAR(OurLoss(Preset("deepseekmath"), group),
              DeepSeekMathLoss(group, 0.2, 0.04), 1e-12);
}

TEST(RecipesTest, R1Zero) {
  const auto group = MakeGroup();
  const double with_ten = DeepSeekMathLoss(group, 10, 0.001);
  EXPECT_NEAR(OurLoss(Preset("r1_zero"), group), with_ten, 1e-12);
  // The group has a ratio that even this clip cuts.
  EXPECT_GT(std::abs(with_ten - DeepSeekMathLoss(group, 100, 0.001)), 1e-3);
}

// DAPO, equation 8: one mean over all tokens, no penalty.
TEST(RecipesTest, Dapo) {
  const auto group = MakeGroup();
  double sum = 0;
  double tokens = 0;
  for (const Completion& own : group) {
    const double advantage =
        (own.reward - MeanReward(group)) / (StdReward(group) + 1e-4);
    for (size_t t = 0; t < own.logp.size(); ++t) {
      sum +=
          Surrogate(std::exp(own.logp[t] - own.old[t]), advantage, 0.2, 0.28);
      tokens += 1;
    }
  }
  EXPECT_NEAR(OurLoss(Preset("dapo"), group), -sum / tokens, 1e-12);
}

// Dr. GRPO, equation 3 and its code's constant divisor.
TEST(RecipesTest, DrGrpo) {
  const auto group = MakeGroup();
  double sum = 0;
  for (const Completion& own : group) {
    for (size_t t = 0; t < own.logp.size(); ++t) {
      sum += Surrogate(std::exp(own.logp[t] - own.old[t]),
                       own.reward - MeanReward(group), 0.2, 0.2);
    }
  }
  EXPECT_NEAR(OurLoss(Preset("dr_grpo"), group),
              -sum / (3000 * static_cast<double>(group.size())), 1e-12);
}

// DeepSeek-V3.2, section 3.1, with the mask's bound of the preset.
TEST(RecipesTest, V32) {
  const auto group = MakeGroup();
  double objective = 0;
  int masked = 0;
  for (const Completion& own : group) {
    const double advantage = own.reward - MeanReward(group);
    const double length = static_cast<double>(own.logp.size());
    double drift = 0;
    for (size_t t = 0; t < own.logp.size(); ++t) {
      drift += (own.old[t] - own.logp[t]) / length;
    }
    const bool kept = advantage >= 0 || drift <= 0.5;
    masked += !kept;
    for (size_t t = 0; t < own.logp.size(); ++t) {
      const double ratio = std::exp(own.logp[t] - own.old[t]);
      objective += ((kept ? Surrogate(ratio, advantage, 0.2, 0.2) : 0) -
                    0.001 * ratio * K3(own.ref[t] - own.logp[t])) /
                   length;
    }
  }
  EXPECT_GT(masked, 0);
  EXPECT_NEAR(OurLoss(Preset("v3_2"), group),
              -objective / static_cast<double>(group.size()), 1e-12);
}

// DeepSeek-R1, equations 1 to 3: ratios of whole completions.
TEST(RecipesTest, TheProductFormIsR1sNotation) {
  const auto group = MakeGroup();
  LearnerConfig config = Preset("r1_zero");
  config.ratio_level = "product";
  double objective = 0;
  for (const Completion& own : group) {
    double log_ratio = 0, log_reference = 0;
    for (size_t t = 0; t < own.logp.size(); ++t) {
      log_ratio += own.logp[t] - own.old[t];
      log_reference += own.ref[t] - own.logp[t];
    }
    const double advantage =
        (own.reward - MeanReward(group)) / (StdReward(group) + 1e-4);
    objective += Surrogate(std::exp(log_ratio), advantage, 10, 10) -
                 0.001 * K3(log_reference);
  }
  EXPECT_NEAR(OurLoss(config, group),
              -objective / static_cast<double>(group.size()), 1e-12);
}

// Over a vocabulary of five the expectation under the sampler can be taken
// exactly: the gradient of ratio * k3 is that of KL(policy || reference), and
// that of k3 alone is not.
TEST(RecipesTest, TheUnbiasedPenaltyHasTheGradientOfTheExactReverseKl) {
  const at::Tensor sampler =
      torch::tensor({0.3, -0.5, 1.0, 0.1, -1.2}, at::kDouble);
  const at::Tensor reference =
      torch::tensor({-0.4, 0.9, 0.2, -1.0, 0.5}, at::kDouble);
  const at::Tensor start =
      torch::tensor({0.8, 0.1, -0.3, 0.4, -0.6}, at::kDouble);
  const auto gradient_of = [&](KlEstimator estimator) {
    const at::Tensor logits = start.clone().set_requires_grad(true);
    const at::Tensor old = sampler.log_softmax(-1);
    LossSettings settings;
    settings.kl = estimator;
    settings.kl_weight = 1;
    const TokenTerms terms = GrpoTerms(
        {logits.log_softmax(-1), old, reference.log_softmax(-1),
         at::zeros({5}, at::kDouble), at::arange(5, at::kLong), at::Tensor()},
        settings);
    GrpoLoss(terms, old.exp(), settings).backward();
    return logits.grad();
  };
  const at::Tensor logits = start.clone().set_requires_grad(true);
  const at::Tensor policy = logits.log_softmax(-1);
  (policy.exp() * (policy - reference.log_softmax(-1))).sum().backward();
  EXPECT_TRUE(at::allclose(gradient_of(KlEstimator::kK3Unbiased), logits.grad(),
                           1e-12, 1e-14));
  EXPECT_FALSE(
      at::allclose(gradient_of(KlEstimator::kK3), logits.grad(), 0.1, 1e-2));
}

// |a - b| <= tolerance * max(1, |b|) throughout.
void ExpectNear(const Json& got, const Json& expected, double tolerance,
                const std::string& where) {
  if (expected.is_array()) {
    ASSERT_EQ(got.size(), expected.size()) << where;
    for (size_t i = 0; i < expected.size(); ++i) {
      ExpectNear(got[i], expected[i], tolerance, where);
    }
  } else if (expected.is_boolean()) {
    EXPECT_EQ(got, expected) << where;
  } else {
    const double truth = expected.get<double>();
    EXPECT_NEAR(got.get<double>(), truth,
                tolerance * std::max(1.0, std::abs(truth)))
        << where;
  }
}

TEST(RuleCasesTest, EqualTheFixture) {
  std::ifstream file("tests/data/rule_cases.jsonl");
  int rows = 0;
  for (std::string line; std::getline(file, line); ++rows) {
    const Json row = Json::parse(line);
    for (const auto& [dtype, tolerance] :
         {std::pair("float64", 1e-9), std::pair("float32", 1e-5)}) {
      const Json got = Json::parse(SolveLossCase(line, dtype));
      ASSERT_FALSE(got.contains("error")) << got;
      for (const char* list : {"pass_at_k", "overlong"}) {
        if (!row.contains(list)) continue;
        ExpectNear(got[list[0] == 'p' ? "value" : "reward"], row[list][3],
                   tolerance, line);
      }
      for (const auto& [key, expected] : row.items()) {
        if (key.rfind("adv_", 0) != 0 && key.rfind("std_", 0) != 0 &&
            key != "mean" && key != "zero_variance_group" && key != "logprob" &&
            key != "entropy" && key != "kl_full_vs_ref" &&
            key != "grad_logits_of_sum_logprob") {
          continue;
        }
        ExpectNear(got[key], expected, tolerance, row.value("name", "") + key);
      }
    }
  }
  EXPECT_GT(rows, 200);
}

TEST(RuleCasesTest, RowsThatLackSomethingAreErrorRows) {
  for (const auto& [row, word] :
       std::vector<std::pair<std::string, std::string>>{
           {R"({"rewards": 3})", "rewards"},
           {R"({"rewards": [[]]})", "rewards"},
           {R"({"pass_at_k": [4, 2, 5]})", "pass@5"},
           {R"({"pass_at_k": [4, 2]})", "pass_at_k"},
           {R"({"overlong": [10, 0, 3]})", "L_cache"},
           {R"({"logits": [[1, 2]], "ids": [2]})", "ids"},
           {R"({"logits": [[1, 2]], "ids": [1], "temperature": 0})",
            "temperature"},
           {R"({"logits": [[1, 2], [1]], "ids": [1, 0]})", "different"}}) {
    const Json got = Json::parse(SolveLossCase(row, "float64"));
    EXPECT_THAT(got.value("error", ""), testing::HasSubstr(word)) << got;
  }
}

}  // namespace
}  // namespace cohort
