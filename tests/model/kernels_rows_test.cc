// One result for one row: the bits of a row do not depend on how many rows are
// computed with it, on its place among them, nor on the number of threads.
// Sampling that ignores its batch, and a resume equal bit for bit, rest on
// this.
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <torch/types.h>

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "hwy/targets.h"
#include "model/attention.h"
#include "model/linear.h"
#include "model/logprob.h"
#include "model/moe.h"
#include "model/rms_norm.h"

namespace cohort {
namespace {

using RowOp = std::function<at::Tensor(const at::Tensor&)>;

class RowsTest : public testing::Test {
 protected:
  RowsTest() {
    at::manual_seed(2);
    at::set_num_threads(1);
  }
  ~RowsTest() override { at::set_num_threads(1); }
};

// Rows of `all` through `op` in batches of 1, 7 and 64, at every place, and on
// two threads.
void ExpectRowsStandAlone(const RowOp& op, const at::Tensor& all,
                          const std::string& what) {
  const at::Tensor wanted = op(all);
  for (const int64_t batch : {1, 2, 7, 16, 64}) {
    for (int64_t begin = 0; begin + batch <= all.size(0); begin += batch) {
      ASSERT_TRUE(
          op(all.narrow(0, begin, batch)).equal(wanted.narrow(0, begin, batch)))
          << what << ": rows " << begin << " to " << begin + batch - 1;
    }
  }
  ASSERT_TRUE(op(all.flip({0})).equal(wanted.flip({0}))) << what << " reversed";
  at::set_num_threads(2);
  EXPECT_TRUE(op(all).equal(wanted)) << what << " on two threads";
  at::set_num_threads(1);
}

at::Tensor Random(at::IntArrayRef shape) {
  return at::randn(shape, at::kFloat);
}

TEST_F(RowsTest, LinearRowsStandAlone) {
  for (const int64_t k : {1, 17, 64, 129, 512, 2048}) {
    for (const int64_t o : {1, 8, 35, 128, 700}) {
      const at::Tensor weight = Random({o, k});
      ExpectRowsStandAlone(
          [&](const at::Tensor& x) { return Linear(x, weight); },
          Random({150, k}),
          "linear " + std::to_string(k) + " " + std::to_string(o));
    }
  }
}

// What the header promises, written as the loop it names.
TEST_F(RowsTest, LinearIsOneChainOverK) {
  const at::Tensor x = Random({70, 600});
  const at::Tensor weight = Random({50, 600});
  const at::Tensor got = Linear(x, weight);
  for (const int64_t n : {0, 13, 69}) {
    for (const int64_t o : {0, 31, 49}) {
      float sum = 0;
      for (int64_t k = 0; k < 600; ++k) {
        sum = std::fma(x[n][k].item<float>(), weight[o][k].item<float>(), sum);
      }
      EXPECT_EQ(got[n][o].item<float>(), sum);
    }
  }
}

TEST_F(RowsTest, NormalisedRowsStandAlone) {
  const at::Tensor weight = Random({129});
  ExpectRowsStandAlone(
      [&](const at::Tensor& x) { return RmsNorm(x, weight, 1e-6); },
      Random({150, 129}), "rms_norm");
}

TEST_F(RowsTest, RoutesStandAlone) {
  const RouterSettings settings = {
      .experts_per_token = 2, .groups = 2, .groups_per_token = 1};
  const at::Tensor gate = Random({8, 64});
  const at::Tensor bias = Random({8});
  ExpectRowsStandAlone(
      [&](const at::Tensor& x) {
        return RouteTokens(x, gate, bias, settings).weights;
      },
      Random({150, 64}), "weights");
}

TEST_F(RowsTest, ExpertsRowsStandAlone) {
  const RouterSettings settings = {.experts_per_token = 2};
  const at::Tensor gate = Random({8, 64});
  const at::Tensor bias = Random({8});
  const at::Tensor gate_up = Random({8, 2 * 40, 64});
  const at::Tensor down = Random({8, 64, 40});
  ExpectRowsStandAlone(
      [&](const at::Tensor& x) {
        const Routes routes = RouteTokens(x, gate, bias, settings);
        return RunExperts(x, routes.experts, routes.weights, gate_up, down);
      },
      Random({700, 64}), "experts");
}

TEST_F(RowsTest, MlpRowsStandAlone) {
  const at::Tensor gate_up = Random({2 * 300, 128});
  const at::Tensor down = Random({128, 300});
  ExpectRowsStandAlone(
      [&](const at::Tensor& x) { return RunMlp(x, gate_up, down); },
      Random({400, 128}), "mlp");
}

TEST_F(RowsTest, LogprobsStandAlone) {
  const at::Tensor head = Random({1000, 64});
  ExpectRowsStandAlone(
      [&](const at::Tensor& x) {
        const at::Tensor targets =
            (x.select(1, 0).abs() * 100).to(at::kLong).clamp(0, 999);
        return LogprobsOfTokens(x, head, targets, 1.0).logprobs;
      },
      Random({1200, 64}), "logprobs");
}

// A sequence alone, and the same one among others.
TEST_F(RowsTest, AttentionIgnoresItsNeighbours) {
  const at::Tensor q = Random({300, 4, 32});
  const at::Tensor k = Random({300, 4, 32});
  const at::Tensor v = Random({300, 4, 16});
  const std::vector<int64_t> offsets = {0, 60, 61, 300};
  const at::Tensor wanted = PackedAttention(q, k, v, offsets, 0.2);
  for (size_t s = 0; s + 1 < offsets.size(); ++s) {
    const int64_t rows = offsets[s + 1] - offsets[s];
    const auto own = [&](const at::Tensor& t) {
      return t.narrow(0, offsets[s], rows);
    };
    EXPECT_TRUE(PackedAttention(own(q), own(k), own(v), {0, rows}, 0.2)
                    .equal(own(wanted)));
  }
  at::set_num_threads(2);
  EXPECT_TRUE(PackedAttention(q, k, v, offsets, 0.2).equal(wanted));
}

// A longer sequence leaves its earlier rows as they were.
TEST_F(RowsTest, AttentionIgnoresWhatComesLater) {
  const at::Tensor q = Random({200, 2, 16});
  const at::Tensor v = Random({200, 2, 16});
  const at::Tensor all = PackedAttention(q, q, v, {0, 200}, 0.3);
  for (const int64_t rows : {1, 47, 48, 49, 130}) {
    const at::Tensor part =
        PackedAttention(q.narrow(0, 0, rows), q.narrow(0, 0, rows),
                        v.narrow(0, 0, rows), {0, rows}, 0.3);
    EXPECT_TRUE(part.equal(all.narrow(0, 0, rows))) << rows;
  }
}

TEST_F(RowsTest, CachedAttentionIgnoresBlocksAndNeighbours) {
  constexpr int64_t kBatch = 64;
  const at::Tensor query = Random({kBatch, 4, 48});
  const at::Tensor cache = Random({kBatch * 5, 16, 48});
  const at::Tensor tables =
      at::randperm(kBatch * 5).to(at::kInt).view({kBatch, 5});
  const at::Tensor context = at::randint(1, 81, {kBatch}, at::kInt);
  const auto run = [&](int64_t begin, int64_t count, const at::Tensor& blocks,
                       const at::Tensor& rows) {
    return PagedAttention(
        query.narrow(0, begin, count),
        {.cache = rows,
         .block_tables = blocks.narrow(0, begin, count),
         .context = context.narrow(0, begin, count),
         .selected = {}},
        {.kv_heads = 1, .key_width = 48, .value_at = 0, .value_width = 32},
        0.2);
  };
  const at::Tensor wanted = run(0, kBatch, tables, cache);
  for (int64_t b = 0; b < kBatch; ++b) {
    ASSERT_TRUE(run(b, 1, tables, cache).equal(wanted.narrow(0, b, 1))) << b;
  }
  // The same rows in other blocks.
  const at::Tensor moved = at::empty_like(cache);
  moved.index_copy_(0, at::arange(kBatch * 5),
                    cache.index_select(0, tables.view(-1).to(at::kLong)));
  const at::Tensor straight =
      at::arange(kBatch * 5, at::kInt).view({kBatch, 5});
  EXPECT_TRUE(run(0, kBatch, straight, moved).equal(wanted));
  at::set_num_threads(2);
  EXPECT_TRUE(run(0, kBatch, tables, cache).equal(wanted));
}

// Completions of one prompt, which begin with the same blocks: [B, H, 48]
// against one kv head (as MLA has) and against two.
struct Siblings {
  static constexpr int64_t kBatch = 22;  // The last group is smaller.
  static constexpr int64_t kBlocks = 5;
  at::Tensor query = Random({kBatch, 18, 48});
  at::Tensor cache = Random({kBatch * kBlocks, 16, 130});
  at::Tensor context = at::randint(33, 81, {kBatch}, at::kInt);
  at::Tensor tables = at::randperm(kBatch * kBlocks)
                          .to(at::kInt)
                          .view({kBatch, kBlocks})
                          .clone();

  Siblings() {
    for (int64_t b = 0; b < kBatch; ++b) {
      tables[b].narrow(0, 0, 2).copy_(tables[b / 8 * 8].narrow(0, 0, 2));
    }
  }

  at::Tensor Run(int64_t begin, int64_t count, int64_t kv_heads,
                 const at::Tensor& selected) const {
    return PagedAttention(query.narrow(0, begin, count),
                          {.cache = cache,
                           .block_tables = tables.narrow(0, begin, count),
                           .context = context.narrow(0, begin, count),
                           .selected = selected},
                          {.kv_heads = kv_heads,
                           .key_width = 48,
                           .value_at = kv_heads == 1 ? 5 : 96,
                           .value_width = kv_heads == 1 ? 40 : 17},
                          0.2);
  }

  // The definition, in double precision.
  at::Tensor Wanted(int64_t b, int64_t kv_heads) const {
    const at::Tensor rows = cache.index_select(0, tables[b].to(at::kLong))
                                .view({kBlocks * 16, 130})
                                .narrow(0, 0, context[b].item<int64_t>())
                                .to(at::kDouble);
    const int64_t width = kv_heads == 1 ? 40 : 17;
    std::vector<at::Tensor> out;
    for (int64_t h = 0; h < 18; ++h) {
      const int64_t g = h / (18 / kv_heads);
      const at::Tensor scores =
          rows.narrow(1, g * 48, 48).matmul(query[b][h].to(at::kDouble));
      const int64_t at = (kv_heads == 1 ? 5 : 96) + g * width;
      out.push_back(
          (scores * 0.2).softmax(0).matmul(rows.narrow(1, at, width)));
    }
    return at::stack(out);
  }
};

TEST_F(RowsTest, CachedAttentionIgnoresWhatSiblingsShare) {
  const Siblings s;
  for (const int64_t kv_heads : {1, 2}) {
    const at::Tensor all = s.Run(0, Siblings::kBatch, kv_heads, {});
    for (int64_t b = 0; b < Siblings::kBatch; ++b) {
      EXPECT_TRUE(s.Run(b, 1, kv_heads, {}).equal(all.narrow(0, b, 1))) << b;
      EXPECT_TRUE(at::allclose(all[b].to(at::kDouble), s.Wanted(b, kv_heads),
                               /*rtol=*/1e-5, /*atol=*/1e-6))
          << b;
    }
    EXPECT_TRUE(s.Run(5, 7, kv_heads, {}).equal(all.narrow(0, 5, 7)));
    at::set_num_threads(2);
    EXPECT_TRUE(s.Run(0, Siblings::kBatch, kv_heads, {}).equal(all));
    at::set_num_threads(1);
    // Selecting all that is visible changes nothing.
    const at::Tensor places =
        at::arange(80, at::kInt).expand({Siblings::kBatch, 80});
    const at::Tensor selected =
        places.masked_fill(places >= s.context.unsqueeze(1), -1).contiguous();
    EXPECT_TRUE(s.Run(0, Siblings::kBatch, kv_heads, selected).equal(all));
  }
}

// Machines with wide and with narrow vectors compute the same policy.
TEST_F(RowsTest, ResultsIgnoreTheVectorWidth) {
  const int64_t targets = hwy::SupportedTargets() & (HWY_AVX3 | HWY_AVX2);
  if (targets != (HWY_AVX3 | HWY_AVX2)) GTEST_SKIP() << "one vector width only";
  const at::Tensor x = Random({70, 129});
  const at::Tensor weight = Random({40, 129});
  const at::Tensor gate_up = Random({2 * 50, 129});
  const at::Tensor down = Random({129, 50});
  const at::Tensor q = Random({70, 4, 24});
  const Siblings siblings;
  const auto run = [&](int64_t target) {
    hwy::SetSupportedTargetsForTest(target);
    hwy::GetChosenTarget().DeInit();
    const std::vector<at::Tensor> results = {
        Linear(x, weight),
        Linear(x.narrow(0, 3, 1), weight),
        RmsNorm(x, at::ones({129}), 1e-6),
        RunMlp(x, gate_up, down),
        PackedAttention(q, q, q, {0, 61, 70}, 0.2),
        siblings.Run(0, Siblings::kBatch, 1, {}),
        LogprobsOfTokens(x, weight, at::zeros({70}, at::kLong), 1.0).logprobs};
    hwy::SetSupportedTargetsForTest(0);
    hwy::GetChosenTarget().DeInit();
    return results;
  };
  const std::vector<at::Tensor> wide = run(HWY_AVX3);
  const std::vector<at::Tensor> narrow = run(HWY_AVX2);
  for (size_t i = 0; i < wide.size(); ++i) {
    EXPECT_TRUE(wide[i].equal(narrow[i])) << "operation " << i;
  }
}

// Gradients of weights add over rows; the number of threads must not show.
TEST_F(RowsTest, GradientsIgnoreTheThreadCount) {
  const at::Tensor x = Random({2500, 64});
  const at::Tensor experts =
      std::get<0>(at::rand({2500, 4})
                      .argsort(/*dim=*/1, /*descending=*/false)
                      .narrow(1, 0, 2)
                      .sort(1));
  const at::Tensor weights = Random({2500, 2});
  const auto grads = [&](int threads) {
    at::set_num_threads(threads);
    std::vector<at::Tensor> leaves;
    for (const at::Tensor& t : {x, weights, Random({4, 80, 64}) * 0 + 0.1,
                                Random({4, 64, 40}) * 0 + 0.2, at::ones({64}),
                                at::full({90, 64}, 0.01)}) {
      leaves.push_back(t.detach().clone().set_requires_grad(true));
    }
    const at::Tensor normed = RmsNorm(leaves[0], leaves[4], 1e-6);
    const at::Tensor mixed =
        RunExperts(normed, experts, leaves[1], leaves[2], leaves[3]) + normed;
    Linear(mixed, leaves[5]).square().sum().backward();
    std::vector<at::Tensor> out;
    for (const at::Tensor& leaf : leaves) out.push_back(leaf.grad());
    return out;
  };
  const std::vector<at::Tensor> one = grads(1);
  const std::vector<at::Tensor> two = grads(2);
  for (size_t i = 0; i < one.size(); ++i)
    EXPECT_TRUE(one[i].equal(two[i])) << i;
}

}  // namespace
}  // namespace cohort
