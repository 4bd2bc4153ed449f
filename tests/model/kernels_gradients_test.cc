// The float32 kernels against the float64 composition of LibTorch operations,
// which autograd differentiates by itself: values and gradients, on shapes that
// are no multiple of any vector.
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <torch/types.h>

#include <algorithm>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "model/attention.h"
#include "model/heads.h"
#include "model/linear.h"
#include "model/logprob.h"
#include "model/moe.h"
#include "model/rms_norm.h"

namespace cohort {
namespace {

using Tensors = std::vector<at::Tensor>;
using Op = std::function<at::Tensor(const Tensors&)>;

at::Tensor Random(at::IntArrayRef shape, double scale = 1) {
  return at::randn(shape, at::kDouble) * scale;
}

// Largest difference, in units of the largest value (of one where all are
// smaller, since values that cancel to nothing keep their error): sums of K
// products of float32 err by about sqrt(K) 2^-24 of their size.
void ExpectNear(const at::Tensor& got, const at::Tensor& wanted,
                const std::string& what) {
  ASSERT_EQ(got.sizes(), wanted.sizes()) << what;
  if (wanted.numel() == 0) return;
  const double size = std::max(wanted.abs().max().item<double>(), 1.0);
  const double gap =
      (got.to(at::kDouble) - wanted).abs().max().item<double>() / size;
  EXPECT_LT(gap, 1e-5) << what;
  EXPECT_TRUE(got.isfinite().all().item<bool>()) << what;
}

// Runs `op` in float32 and in float64 and compares the output and the gradients
// of a random weighting of it.
void CompareWithDouble(const Op& op, const Tensors& inputs,
                       const std::string& what) {
  Tensors wide;
  Tensors narrow;
  for (const at::Tensor& input : inputs) {
    wide.push_back(input.clone().set_requires_grad(true));
    narrow.push_back(input.to(at::kFloat).set_requires_grad(true));
  }
  const at::Tensor wanted = op(wide);
  const at::Tensor got = op(narrow);
  ExpectNear(got.detach(), wanted.detach(), what);
  {
    const at::NoGradGuard no_grad;
    EXPECT_TRUE(op(narrow).equal(got.detach())) << what << ", without graph";
  }
  const at::Tensor weighting = at::randn(wanted.sizes(), at::kDouble);
  (wanted * weighting).sum().backward();
  (got * weighting.to(at::kFloat)).sum().backward();
  for (size_t i = 0; i < inputs.size(); ++i) {
    ASSERT_TRUE(narrow[i].grad().defined()) << what << ", input " << i;
    ExpectNear(narrow[i].grad(), wide[i].grad(),
               what + ", gradient of input " + std::to_string(i));
  }
}

class KernelsTest : public testing::Test {
 protected:
  KernelsTest() {
    at::manual_seed(1);
    at::set_num_threads(1);
  }
};

constexpr int64_t kOddWidths[] = {1, 3, 17, 129};

TEST_F(KernelsTest, LinearEqualsItsDoubleAndDifferentiates) {
  for (const int64_t rows : {1, 7, 64, 301}) {
    for (const int64_t k : {1, 17, 129, 1030}) {
      for (const int64_t o : {1, 5, 200}) {
        CompareWithDouble(
            [](const Tensors& in) { return Linear(in[0], in[1]); },
            {Random({rows, k}), Random({o, k})},
            "linear " + std::to_string(rows) + " " + std::to_string(k) + " " +
                std::to_string(o));
      }
    }
  }
}

TEST_F(KernelsTest, LinearReadsStridedRows) {
  const at::Tensor wide = at::randn({9, 40}, at::kFloat);
  const at::Tensor weight = at::randn({11, 16}, at::kFloat);
  const at::Tensor part = wide.narrow(1, 5, 16);
  EXPECT_TRUE(Linear(part, weight).equal(Linear(part.contiguous(), weight)));
}

TEST_F(KernelsTest, RmsNormEqualsItsDoubleAndDifferentiates) {
  for (const int64_t rows : {1, 5, 1500}) {
    for (const int64_t width : kOddWidths) {
      CompareWithDouble(
          [](const Tensors& in) { return RmsNorm(in[0], in[1], 1e-6); },
          {Random({rows, width}), Random({width})},
          "rms_norm " + std::to_string(width));
    }
  }
}

TEST_F(KernelsTest, PackedAttentionEqualsItsDoubleAndDifferentiates) {
  const std::vector<std::vector<int64_t>> packs = {
      {0, 1}, {0, 1, 2, 3}, {0, 5, 5, 54}, {0, 48, 97, 200}};
  for (const std::vector<int64_t>& offsets : packs) {
    for (const int64_t width : {1, 3, 17, 32}) {
      const int64_t n = offsets.back();
      CompareWithDouble(
          [&](const Tensors& in) {
            return PackedAttention(in[0], in[1], in[2], offsets, 0.3);
          },
          {Random({n, 3, width}), Random({n, 3, width}),
           Random({n, 3, width + 2})},
          "attention " + std::to_string(n) + " " + std::to_string(width));
    }
  }
}

// The definition, token by token.
TEST_F(KernelsTest, SharedKeysEqualTheirDoubleAndDifferentiate) {
  const std::vector<int64_t> offsets = {0, 70, 71, 121};
  CompareWithDouble(
      [&](const Tensors& in) {
        return PackedAttention(in[0], in[1], in[2], offsets, 0.3).flatten(1);
      },
      {Random({121, 6, 12}), Random({121, 2, 12}), Random({121, 2, 7})},
      "grouped queries");
}

// Row t of a sequence attends to t itself and some earlier tokens.
TEST_F(KernelsTest, SelectedTokensEqualTheirDoubleAndDifferentiate) {
  const std::vector<int64_t> offsets = {0, 70, 71, 121};
  const at::Tensor selected = at::full({121, 5}, -1, at::kInt);
  auto at_row = selected.accessor<int32_t, 2>();
  for (size_t s = 0; s + 1 < offsets.size(); ++s) {
    for (int64_t n = offsets[s]; n < offsets[s + 1]; ++n) {
      const int64_t t = n - offsets[s];
      std::set<int64_t> some = {t, t / 2, t / 3, t * 3 / 4, 0};
      int64_t column = 0;
      for (const int64_t token : some) {
        at_row[n][column++] = static_cast<int32_t>(token);
      }
    }
  }
  CompareWithDouble(
      [&](const Tensors& in) {
        return PackedAttention(in[0], in[1], in[2], offsets, 0.3, selected)
            .flatten(1);
      },
      {Random({121, 4, 12}), Random({121, 2, 12}), Random({121, 2, 7})},
      "selected tokens");
}

TEST_F(KernelsTest, PackedAttentionIsTheSoftmaxOverEarlierTokens) {
  const std::vector<int64_t> offsets = {0, 4, 5, 12};
  const at::Tensor q = Random({12, 2, 3});
  const at::Tensor k = Random({12, 2, 3});
  const at::Tensor v = Random({12, 2, 5});
  const at::Tensor got = PackedAttention(q.to(at::kFloat), k.to(at::kFloat),
                                         v.to(at::kFloat), offsets, 0.7);
  for (size_t s = 0; s + 1 < offsets.size(); ++s) {
    for (int64_t n = offsets[s]; n < offsets[s + 1]; ++n) {
      for (int64_t h = 0; h < 2; ++h) {
        at::Tensor sum = at::zeros({5}, at::kDouble);
        double total = 0;
        for (int64_t j = offsets[s]; j <= n; ++j) {
          const double power =
              std::exp(0.7 * q[n][h].dot(k[j][h]).item<double>());
          sum += power * v[j][h];
          total += power;
        }
        ExpectNear(got[n][h], sum / total, "token " + std::to_string(n));
      }
    }
  }
}

// One row of MLA's heads as the paper writes them: per head, the part without
// position, then each pair (a, b) turned by its angle.
at::Tensor RotatedPairs(const at::Tensor& x, const at::Tensor& angles,
                        bool interleave) {
  const int64_t pairs = angles.size(0);
  std::vector<at::Tensor> columns(static_cast<size_t>(2 * pairs));
  for (int64_t i = 0; i < pairs; ++i) {
    const int64_t first = interleave ? 2 * i : i;
    const int64_t second = interleave ? 2 * i + 1 : i + pairs;
    const at::Tensor c = angles[i].cos();
    const at::Tensor s = angles[i].sin();
    columns[static_cast<size_t>(first)] = x[first] * c - x[second] * s;
    columns[static_cast<size_t>(second)] = x[first] * s + x[second] * c;
  }
  return at::stack(columns);
}

TEST_F(KernelsTest, HeadsEqualTheirDefinitionAndDifferentiate) {
  constexpr int64_t kRows = 5, kHeads = 3, kNope = 4, kRope = 6, kValue = 7;
  const at::Tensor angles = Random({kRows, kRope / 2}, 3);
  for (const bool interleave : {true, false}) {
    const auto definition = [&](const Tensors& in) {
      std::vector<at::Tensor> rows;
      for (int64_t n = 0; n < kRows; ++n) {
        std::vector<at::Tensor> parts;
        for (int64_t h = 0; h < kHeads; ++h) {
          const at::Tensor q =
              in[0][n].narrow(0, h * (kNope + kRope), kNope + kRope);
          const at::Tensor kv =
              in[2][n].narrow(0, h * (kNope + kValue), kNope + kValue);
          parts.push_back(q.narrow(0, 0, kNope));
          parts.push_back(
              RotatedPairs(q.narrow(0, kNope, kRope), angles[n], interleave));
          parts.push_back(kv.narrow(0, 0, kNope));
          parts.push_back(RotatedPairs(in[1][n], angles[n], interleave));
          parts.push_back(kv.narrow(0, kNope, kValue));
        }
        rows.push_back(at::cat(parts));
      }
      return at::stack(rows);
    };
    CompareWithDouble(
        [&](const Tensors& in) {
          if (in[0].scalar_type() == at::kDouble) return definition(in);
          const Heads heads = MakeHeads({.q = in[0],
                                         .k_rope = in[1],
                                         .kv = in[2],
                                         .cos = angles.cos().to(at::kFloat),
                                         .sin = angles.sin().to(at::kFloat)},
                                        {.heads = kHeads,
                                         .nope = kNope,
                                         .rope = kRope,
                                         .value = kValue,
                                         .interleave = interleave});
          return at::cat({heads.q, heads.k, heads.v}, -1).flatten(1);
        },
        {Random({kRows, kHeads * (kNope + kRope)}), Random({kRows, kRope}),
         Random({kRows, kHeads * (kNope + kValue)})},
        interleave ? "heads in pairs" : "heads in halves");
  }
}

// MLA's absorbed form, and grouped queries with and without a selection.
TEST_F(KernelsTest, PagedAttentionEqualsItsDouble) {
  const at::Tensor tables =
      at::tensor({3, 0, 8, 1, 2, 7}, at::kInt).view({2, 3});
  const at::Tensor context = at::tensor({1, 10}, at::kInt);
  const at::Tensor some =
      at::tensor({0, -1, -1, 2, 5, 9}, at::kInt).view({2, 3});
  const auto compare = [&](int64_t heads, const PagedLayout& layout,
                           const at::Tensor& selected) {
    const at::Tensor q = Random({2, heads, layout.key_width});
    const at::Tensor cache = Random({9, 4, 80});
    const auto run = [&](at::ScalarType type) {
      return PagedAttention(q.to(type),
                            {.cache = cache.to(type),
                             .block_tables = tables,
                             .context = context,
                             .selected = selected},
                            layout, 0.2);
    };
    ExpectNear(run(at::kFloat), run(at::kDouble), "paged attention");
  };
  for (const int64_t heads : {1, 4, 5, 16}) {
    for (const int64_t rank : {1, 17, 32}) {
      compare(heads,
              {.kv_heads = 1,
               .key_width = rank + 6,
               .value_at = 0,
               .value_width = rank},
              {});
    }
  }
  for (const at::Tensor& selected : {at::Tensor(), some}) {
    for (const int64_t kv_heads : {1, 2, 4}) {
      compare(8,
              {.kv_heads = kv_heads,
               .key_width = 10,
               .value_at = kv_heads * 10,
               .value_width = 9},
              selected);
    }
  }
}

TEST_F(KernelsTest, RoutesWeighAndDifferentiateLikeTheirDouble) {
  for (const bool softmax : {false, true}) {
    for (const bool normalise : {false, true}) {
      const RouterSettings settings = {.softmax = softmax,
                                       .group_best = softmax ? 1 : 2,
                                       .experts_per_token = 3,
                                       .groups = 4,
                                       .groups_per_token = 2,
                                       .normalise = normalise,
                                       .scaling = 2.5};
      const at::Tensor bias =
          softmax ? at::Tensor() : at::randn({12}, at::kFloat);
      CompareWithDouble(
          [&](const Tensors& in) {
            return RouteTokens(in[0], in[1], bias, settings).weights;
          },
          {Random({29, 17}), Random({12, 17}, 0.3)}, "routes");
    }
  }
}

TEST_F(KernelsTest, RoutesEqualTheirDouble) {
  for (const int64_t groups : {1, 2, 4}) {
    const RouterSettings settings = {
        .experts_per_token = 2,
        .groups = groups,
        .groups_per_token = std::max<int64_t>(1, groups / 2)};
    const at::Tensor x = Random({200, 9});
    const at::Tensor gate = Random({8, 9});
    const at::Tensor bias = at::randn({8}, at::kFloat);
    EXPECT_TRUE(
        RouteTokens(x.to(at::kFloat), gate.to(at::kFloat), bias, settings)
            .experts.equal(RouteTokens(x, gate, bias, settings).experts));
  }
}

struct ExpertsCase {
  int64_t tokens, per_token, experts, width, hidden;
};

TEST_F(KernelsTest, ExpertsEqualTheirDoubleAndDifferentiate) {
  // Among them: fewer slots than experts, so that some stay empty; K = E; many
  // rows for one expert.
  const ExpertsCase cases[] = {{1, 1, 8, 3, 5},
                               {3, 2, 8, 17, 1},
                               {7, 4, 4, 129, 33},
                               {70, 2, 5, 64, 48},
                               {1300, 1, 2, 40, 33}};
  for (const ExpertsCase& c : cases) {
    const at::Tensor experts =
        std::get<0>(at::rand({c.tokens, c.experts})
                        .argsort(/*dim=*/1, /*descending=*/false)
                        .narrow(1, 0, c.per_token)
                        .sort(1));
    CompareWithDouble(
        [&](const Tensors& in) {
          return RunExperts(in[0], experts, in[1], in[2], in[3]);
        },
        {Random({c.tokens, c.width}), Random({c.tokens, c.per_token}),
         Random({c.experts, 2 * c.hidden, c.width}, 0.3),
         Random({c.experts, c.width, c.hidden}, 0.3)},
        "experts " + std::to_string(c.tokens));
  }
}

TEST_F(KernelsTest, MlpEqualsItsDoubleAndDifferentiates) {
  for (const int64_t rows : {1, 7, 64, 1000}) {
    for (const int64_t width : kOddWidths) {
      CompareWithDouble(
          [](const Tensors& in) { return RunMlp(in[0], in[1], in[2]); },
          {Random({rows, width}), Random({2 * 21, width}, 0.3),
           Random({width, 21}, 0.3)},
          "mlp " + std::to_string(rows) + " " + std::to_string(width));
    }
  }
}

TEST_F(KernelsTest, LogprobsEqualTheLogSoftmaxAndDifferentiate) {
  for (const int64_t vocabulary : {1, 3, 34, 129, 1000}) {
    for (const double temperature : {1.0, 0.6}) {
      const at::Tensor targets = at::randint(vocabulary, {53}, at::kLong);
      CompareWithDouble(
          [&](const Tensors& in) {
            // Written out, so that autograd differentiates the double.
            if (in[0].scalar_type() == at::kDouble) {
              return (in[0].mm(in[1].t()) / temperature)
                  .log_softmax(-1)
                  .gather(1, targets.unsqueeze(1))
                  .squeeze(1);
            }
            return LogprobsOfTokens(in[0], in[1], targets, temperature)
                .logprobs;
          },
          {Random({53, 17}), Random({vocabulary, 17})},
          "logprobs " + std::to_string(vocabulary));
    }
  }
}

TEST_F(KernelsTest, DoubleLogprobsDifferentiateToo) {
  const at::Tensor hidden = Random({6, 5}).set_requires_grad(true);
  const at::Tensor head = Random({7, 5}).set_requires_grad(true);
  const at::Tensor targets = at::randint(7, {6}, at::kLong);
  LogprobsOfTokens(hidden, head, targets, 0.7).logprobs.sum().backward();
  const at::Tensor got = head.grad().clone();
  head.mutable_grad().zero_();
  (hidden.mm(head.t()) / 0.7)
      .log_softmax(-1)
      .gather(1, targets.unsqueeze(1))
      .sum()
      .backward();
  EXPECT_LT((got - head.grad()).abs().max().item<double>(), 1e-12);
}

TEST_F(KernelsTest, EntropyIsThatOfTheSoftmax) {
  const at::Tensor hidden = Random({40, 9});
  const at::Tensor head = Random({77, 9});
  const at::Tensor p = (hidden.mm(head.t()) / 0.9).softmax(-1);
  const at::Tensor wanted = -(p * p.log()).sum(-1);
  const at::Tensor targets = at::zeros({40}, at::kLong);
  for (const at::ScalarType type : {at::kFloat, at::kDouble}) {
    ExpectNear(
        LogprobsOfTokens(hidden.to(type), head.to(type), targets, 0.9).entropy,
        wanted, "entropy");
  }
}

}  // namespace
}  // namespace cohort
