// What must hold for the model of every family.
#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <torch/types.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "model/transformer.h"
#include "tests/testing/sampler_checks.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/tiny_families.h"

namespace cohort {
namespace {

class FamilyTest : public testing::TestWithParam<const char*> {};

// Two forms of the same attention round differently; that is all there may be
// between them.
TEST_P(FamilyTest, SamplerAndLearnerAgreeOnLogprobs) {
  const auto model = MakeTinyFamily(GetParam());
  const auto sequences = RandomSequences(24, 12, 60);
  const Agreement agreement = Compare(*model, sequences, 8);
  EXPECT_GT(agreement.compared, 500);
  EXPECT_LE(agreement.largest, 5e-5);
  EXPECT_LE(agreement.mean, 2e-6);
  EXPECT_GT(agreement.largest, 0);  // Two separately computed arrays.
  EXPECT_LE(agreement.other_experts, agreement.compared / 500);
}

// What is computed for a row does not depend on how many rows are computed with
// it, on its place among them, nor on the thread count.
TEST_P(FamilyTest, RowsDoNotDependOnBatchOrThreads) {
  const auto model = MakeTinyFamily(GetParam());
  const auto sequences = RandomSequences(64, 20, 28);
  at::set_num_threads(1);
  const SamplerRun all = RunSampler(*model, sequences, PromptsOf(sequences, 9));
  at::set_num_threads(2);
  for (const size_t batch : {1, 7, 64}) {
    for (size_t begin = 0; begin < sequences.size(); begin += 13) {
      const size_t end = std::min(begin + batch, sequences.size());
      const std::vector<std::vector<int32_t>> part(
          sequences.begin() + static_cast<long>(begin),
          sequences.begin() + static_cast<long>(end));
      const SamplerRun run = RunSampler(*model, part, PromptsOf(part, 9));
      for (size_t s = 0; s < part.size(); ++s) {
        ExpectSameBits(RowsOf(run, s), RowsOf(all, begin + s),
                       "sequence " + std::to_string(begin + s));
      }
    }
  }
  at::set_num_threads(1);
}

TEST_P(FamilyTest, ShuffledBlocksGiveTheSameBits) {
  const auto model = MakeTinyFamily(GetParam());
  const auto sequences = RandomSequences(5, 10, 40);
  const std::vector<int64_t> prompts = PromptsOf(sequences, 9);
  const SamplerRun in_order = RunSampler(*model, sequences, prompts);
  SamplerLayout layout;
  layout.block_order.resize(60);
  std::iota(layout.block_order.begin(), layout.block_order.end(), 0);
  std::shuffle(layout.block_order.begin(), layout.block_order.end(),
               std::mt19937(3));
  const SamplerRun shuffled = RunSampler(*model, sequences, prompts, layout);
  for (size_t s = 0; s < sequences.size(); ++s) {
    ExpectSameBits(RowsOf(shuffled, s), RowsOf(in_order, s),
                   "sequence " + std::to_string(s));
  }
}

TEST_P(FamilyTest, BlockSizeDoesNotChangeBits) {
  const auto model = MakeTinyFamily(GetParam());
  const auto sequences = RandomSequences(3, 30, 40);
  const std::vector<int64_t> prompts = PromptsOf(sequences, 9);
  const SamplerRun small = RunSampler(*model, sequences, prompts);
  SamplerLayout layout;
  layout.block_tokens = 16;
  const SamplerRun large = RunSampler(*model, sequences, prompts, layout);
  for (size_t s = 0; s < sequences.size(); ++s) {
    ExpectSameBits(RowsOf(large, s), RowsOf(small, s),
                   "sequence " + std::to_string(s));
  }
}

// Without kernels of our own (float64 here, bfloat16 on CUDA) the same model is
// composed of LibTorch's operations.
TEST_P(FamilyTest, LibTorchPathAgreesWithKernels) {
  const auto model = MakeTinyFamily(GetParam());
  auto wide = Transformer::Create(model->config(), at::kDouble, at::kCPU);
  COHORT_ASSERT_OK(wide);
  const auto from = model->HfTensors();
  const auto to = (*wide)->HfTensors();
  for (size_t i = 0; i < from.size(); ++i) to[i].tensor.copy_(from[i].tensor);
  const auto sequences = RandomSequences(6, 12, 40);
  const std::vector<int64_t> prompts = PromptsOf(sequences, 9);
  const SamplerRun a = RunSampler(*model, sequences, prompts);
  const SamplerRun b = RunSampler(**wide, sequences, prompts);
  for (size_t s = 0; s < sequences.size(); ++s) {
    for (size_t t = 0; t < a.logits[s].size(); ++t) {
      EXPECT_LE((a.logits[s][t] - b.logits[s][t]).abs().max().item<double>(),
                1e-4);
    }
  }
}

// What the packed rows give is independent of how they are packed.
TEST_P(FamilyTest, ForwardDoesNotDependOnThePacking) {
  const at::NoGradGuard no_grad;
  const auto model = MakeTinyFamily(GetParam());
  const auto sequences = RandomSequences(9, 3, 90);
  at::set_num_threads(2);
  const PackedTokens packed = PackSequences(sequences, at::kCPU);
  const at::Tensor all = model->Forward(packed).hidden;
  at::set_num_threads(1);
  for (size_t s = 0; s < sequences.size(); ++s) {
    const int64_t begin = packed.offsets[s];
    EXPECT_TRUE(at::equal(
        model->Forward(PackSequences({sequences[s]}, at::kCPU)).hidden,
        all.narrow(0, begin, packed.offsets[s + 1] - begin)))
        << s;
  }
}

TEST_P(FamilyTest, EveryParameterGetsAGradientAfterSampling) {
  const auto model = MakeTinyFamily(GetParam());
  model->SetTrainable(true);
  const auto sequences = RandomSequences(2, 12, 14);
  RunSampler(*model, sequences, PromptsOf(sequences, 4));
  const at::Tensor hidden =
      model->Forward(PackSequences(sequences, at::kCPU)).hidden;
  at::linear(hidden, model->Head())
      .log_softmax(-1)
      .select(1, 3)
      .sum()
      .backward();
  for (const NamedTensor& leaf : model->Parameters()) {
    ASSERT_TRUE(leaf.tensor.grad().defined()) << leaf.name;
    EXPECT_GT(leaf.tensor.grad().norm().item<double>(), 0) << leaf.name;
  }
}

TEST_P(FamilyTest, CountsItsParameters) {
  const auto model = MakeTinyFamily(GetParam());
  int64_t values = 0;
  for (const NamedTensor& view : model->HfTensors()) {
    values += view.tensor.numel();
  }
  EXPECT_EQ(values, model->config().ParameterCount());
}

INSTANTIATE_TEST_SUITE_P(All, FamilyTest, testing::ValuesIn(kTinyFamilies),
                         [](const auto& info) {
                           return std::string(info.param);
                         });

// Where no more tokens are visible than are selected, V3.2 is V3, bit for bit.
TEST(SparseAttentionTest, EqualsDenseWithinTheSelection) {
  const at::NoGradGuard no_grad;
  ModelConfig config = TinyFamilyConfig("deepseek_v32");
  config.index_topk = 40;
  const auto sparse = MakeModel(config);
  const auto dense = MakeModel(TinyFamilyConfig("deepseek_v3"));
  std::map<std::string, at::Tensor> weights;
  for (const NamedTensor& view : sparse->HfTensors()) {
    weights[view.name] = view.tensor;
  }
  for (const NamedTensor& view : dense->HfTensors()) {
    view.tensor.copy_(weights.at(view.name));
  }
  dense->WeightsChanged();
  const auto sequences = RandomSequences(6, 20, 40);
  const PackedTokens packed = PackSequences(sequences, at::kCPU);
  EXPECT_TRUE(
      at::equal(sparse->Forward(packed).hidden, dense->Forward(packed).hidden));
  const SamplerRun a = RunSampler(*sparse, sequences, PromptsOf(sequences, 9));
  const SamplerRun b = RunSampler(*dense, sequences, PromptsOf(sequences, 9));
  for (size_t s = 0; s < sequences.size(); ++s) {
    ExpectSameBits(RowsOf(a, s), RowsOf(b, s), "sequence " + std::to_string(s));
  }
}

// The selection of the kernels (float32) and of the composition (float64), and
// what it must be by its definition.
TEST(SparseAttentionTest, SelectsTheBestOfTheEarlierTokens) {
  const at::NoGradGuard no_grad;
  const auto model = MakeTinyFamily("deepseek_v32");
  auto wide = Transformer::Create(model->config(), at::kDouble, at::kCPU);
  COHORT_ASSERT_OK(wide);
  const auto from = model->HfTensors();
  const auto to = (*wide)->HfTensors();
  for (size_t i = 0; i < from.size(); ++i) to[i].tensor.copy_(from[i].tensor);
  const PackedTokens packed =
      PackSequences(RandomSequences(4, 5, 60), at::kCPU);
  const at::Tensor a = model->Forward(packed).selected.at(0);
  const at::Tensor b = (*wide)->Forward(packed).selected.at(0);
  EXPECT_TRUE(at::equal(a, b));
  EXPECT_EQ(a.size(1), 12);
  for (size_t s = 0; s + 1 < packed.offsets.size(); ++s) {
    for (int64_t n = packed.offsets[s]; n < packed.offsets[s + 1]; ++n) {
      const int64_t visible = n - packed.offsets[s] + 1;
      EXPECT_EQ((a[n] >= 0).sum().item<int64_t>(),
                std::min(visible, a.size(1)));
      EXPECT_LT(a[n].max().item<int64_t>(), visible);
    }
  }
}

}  // namespace
}  // namespace cohort
