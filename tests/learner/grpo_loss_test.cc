#include "learner/grpo_loss.h"

#include <torch/types.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "learner/loss_cases.h"
#include "tests/testing/status_matchers.h"

namespace cohort {
namespace {

using Json = nlohmann::json;

std::vector<Json> FixtureRows() {
  std::ifstream file("tests/data/grpo_cases.jsonl");
  std::vector<Json> rows;
  for (std::string line; std::getline(file, line);) {
    rows.push_back(Json::parse(line));
  }
  return rows;
}

void Flatten(const Json& value, std::vector<double>* out) {
  if (value.is_array()) {
    for (const Json& entry : value) Flatten(entry, out);
  } else {
    out->push_back(value.is_boolean() ? (value.get<bool>() ? 1 : 0)
                                      : value.get<double>());
  }
}

// The largest |a - b| / max(1, |b|) over two nested lists of one shape.
double Distance(const Json& a, const Json& b) {
  std::vector<double> left, right;
  Flatten(a, &left);
  Flatten(b, &right);
  if (left.size() != right.size()) return INFINITY;
  double worst = 0;
  for (size_t i = 0; i < left.size(); ++i) {
    worst = std::max(worst, std::abs(left[i] - right[i]) /
                                std::max(1.0, std::abs(right[i])));
  }
  return worst;
}

void ExpectFixture(const std::string& dtype, double tolerance) {
  const std::vector<Json> rows = FixtureRows();
  ASSERT_EQ(rows.size(), 116);
  for (const Json& row : rows) {
    const Json got = Json::parse(SolveLossCase(row.dump(), dtype));
    ASSERT_FALSE(got.contains("error")) << got;
    for (const auto& [key, expected] : row["expected"].items()) {
      EXPECT_LE(Distance(got[key], expected), tolerance)
          << row["id"] << " " << row["params"] << " " << key;
    }
  }
}

// float64 is the fixture's own dtype; float32 keeps 24 bits of each term.
TEST(GrpoLossTest, EqualsTheFixtureInFloat64) {
  ExpectFixture("float64", 1e-12);
}
TEST(GrpoLossTest, EqualsTheFixtureInFloat32) {
  ExpectFixture("float32", 1e-5);
}

// Random tokens of trajectories with the given lengths.
struct Batch {
  std::vector<int64_t> lengths;
  std::vector<double> logp, sampler, reference, advantage;  // Per token.
  std::vector<int64_t> trajectory;
};

Batch RandomBatch(std::vector<int64_t> lengths) {
  Batch batch;
  batch.lengths = std::move(lengths);
  uint64_t state = 7;
  const auto draw = [&state] {  // Uniform in (-1, 1).
    state = state * 6364136223846793005u + 1442695040888963407u;
    return static_cast<double>(state >> 11) / (1ull << 52) - 1;
  };
  for (size_t b = 0; b < batch.lengths.size(); ++b) {
    const double advantage = 2 * draw();
    for (int64_t t = 0; t < batch.lengths[b]; ++t) {
      batch.logp.push_back(-1 + draw());
      batch.sampler.push_back(batch.logp.back() + 0.6 * draw());
      batch.reference.push_back(batch.logp.back() + 0.6 * draw());
      batch.advantage.push_back(advantage);
      batch.trajectory.push_back(static_cast<int64_t>(b));
    }
  }
  return batch;
}

// Equation 3 of DeepSeekMath with DAPO's upper clip, one token after the other.
double LoopLoss(const Batch& batch, double clip_low, double clip_high,
                double kl_weight) {
  double total = 0;
  size_t i = 0;
  for (const int64_t length : batch.lengths) {
    double sequence = 0;
    for (int64_t t = 0; t < length; ++t, ++i) {
      const double ratio = std::exp(batch.logp[i] - batch.sampler[i]);
      double clipped = ratio;
      if (clipped < 1 - clip_low) clipped = 1 - clip_low;
      if (clipped > 1 + clip_high) clipped = 1 + clip_high;
      const double gain =
          std::min(ratio * batch.advantage[i], clipped * batch.advantage[i]);
      const double x = std::exp(batch.reference[i]) / std::exp(batch.logp[i]);
      sequence += gain - kl_weight * (x - std::log(x) - 1);
    }
    if (length > 0) total += sequence / static_cast<double>(length);
  }
  return -total / static_cast<double>(batch.lengths.size());
}

LossTokens Slice(const Batch& batch, const at::Tensor& logprobs, int64_t begin,
                 int64_t count) {
  const auto column = [&](const std::vector<double>& values) {
    return torch::tensor(values, at::kDouble).narrow(0, begin, count);
  };
  return {logprobs.narrow(0, begin, count),
          column(batch.sampler),
          column(batch.reference),
          column(batch.advantage),
          torch::tensor(batch.trajectory, at::kLong).narrow(0, begin, count),
          at::Tensor()};
}

// Sums the losses of microbatches of `size` tokens; the gradient goes to
// `gradient`.
double LossInPieces(const Batch& batch, const LossSettings& settings,
                    int64_t size, at::Tensor* gradient) {
  const at::Tensor logprobs =
      torch::tensor(batch.logp, at::kDouble).set_requires_grad(true);
  const at::Tensor weights =
      TokenWeights({batch.lengths}, settings)
          .index_select(0, torch::tensor(batch.trajectory, at::kLong));
  const int64_t tokens = logprobs.numel();
  double loss = 0;
  for (int64_t begin = 0; begin < tokens; begin += size) {
    const int64_t count = std::min(size, tokens - begin);
    const at::Tensor part =
        GrpoLoss(GrpoTerms(Slice(batch, logprobs, begin, count), settings),
                 weights.narrow(0, begin, count), settings);
    part.backward();
    loss += part.item<double>();
  }
  *gradient = logprobs.grad();
  return loss;
}

TEST(GrpoLossTest, EqualsThePaperWrittenAsALoop) {
  const Batch batch = RandomBatch({5, 1, 12, 0, 3});
  LossSettings settings;
  settings.clip_high = 0.28;
  settings.kl_weight = 0.04;
  at::Tensor gradient;
  EXPECT_NEAR(LossInPieces(batch, settings, 1000, &gradient),
              LoopLoss(batch, 0.2, 0.28, 0.04), 1e-14);
}

TEST(GrpoLossTest, MicrobatchesDoNotChangeTheObjective) {
  const Batch batch = RandomBatch({5, 1, 12, 3, 9, 30});
  for (const Aggregation aggregation :
       {Aggregation::kSequenceMean, Aggregation::kTokenMean,
        Aggregation::kConstant}) {
    LossSettings settings;
    settings.aggregation = aggregation;
    settings.kl_weight = 0.1;
    at::Tensor whole, pieces;
    const double one = LossInPieces(batch, settings, 1000, &whole);
    const double five = LossInPieces(batch, settings, 12, &pieces);
    EXPECT_NEAR(one, five, 1e-12 * std::abs(one));
    EXPECT_TRUE(at::allclose(whole, pieces, 1e-12, 1e-15));
  }
}

TEST(GrpoLossTest, AFarPolicyGivesALargeNumberAndNoInfinity) {
  const at::Tensor far = torch::tensor({-1.0f, -800.0f});
  const at::Tensor near = torch::tensor({-900.0f, -1.0f});
  const TokenTerms terms =
      GrpoTerms({far, near, near, torch::tensor({-1.0f, -1.0f}),
                 torch::tensor({0, 1}, at::kLong), at::Tensor()},
                {});
  EXPECT_TRUE(at::isfinite(terms.ratio).all().item<bool>());
  EXPECT_TRUE(at::isfinite(terms.policy).all().item<bool>());
  EXPECT_TRUE(at::isfinite(terms.kl).all().item<bool>());
}

TEST(LossCasesTest, WhatIsNotKnownIsAnErrorRow) {
  const std::string inputs =
      R"("logp":[[-1]],"logp_old":[[-1]],"mask":[[1]],"advantages":[1])";
  for (const auto& [params, word] :
       std::vector<std::pair<std::string, std::string>>{
           {R"({"kind":"reinforce"})", "reinforce"},
           {R"({"level":"word"})", "word"},
           {R"({"tis":["token_drop",null,1.2]})", "token_drop"},
           {R"({"tis":["token_mask",null,1.2]})", "logp_sampler"},
           {R"({"tis":7})", "tis"},
           {R"({"agg":"median"})", "median"},
           {R"({"kl":"k9"})", "k9"}}) {
    const std::string row = "{" + inputs + R"(,"params":)" + params + "}";
    const Json got = Json::parse(SolveLossCase(row, "float64"));
    EXPECT_THAT(got.value("error", ""), testing::HasSubstr(word)) << got;
  }
}

TEST(LossCasesTest, RowsOfAnotherShapeAreErrorRows) {
  for (
      const char* row :
      {"7", "{}", R"({"logp":[]})",
       R"({"logp":[[-1,-2]],"logp_old":[[-1]],"mask":[[1,1]],"advantages":[1]})",
       R"({"logp":[[-1]],"logp_old":[["x"]],"mask":[[1]],"advantages":[1]})",
       R"({"logp":[[-1]],"logp_old":[[-1]],"mask":[[1]],"advantages":[1,2]})",
       R"({"logp":[[-1]],"logp_old":[[-1]],"mask":[[1]],"advantages":"x"})",
       R"({"logp":[[-1]],"logp_old":[[-1]],"mask":[[1]],"advantages":[1],"params":{"beta":0.1}})"}) {
    EXPECT_THAT(SolveLossCase(row, "float64"), testing::HasSubstr("error"))
        << row;
  }
}

TEST(LossCasesTest, ALineThatIsNotJsonIsNamed) {
  EXPECT_THAT(SolveLossFile("\n{}\n{\n", "cases.jsonl", "float64"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       testing::HasSubstr("cases.jsonl:3")));
}

}  // namespace
}  // namespace cohort
