// The model on a GPU beside the model on the CPU; skipped where there is none.
#include <gtest/gtest.h>
#include <torch/types.h>

#include <cstdio>

#include "model/device.h"
#include "tests/testing/tiny_model.h"

namespace cohort {
namespace {

std::vector<std::vector<int32_t>> Sequences() {
  std::vector<std::vector<int32_t>> sequences(5);
  for (size_t s = 0; s < sequences.size(); ++s) {
    for (size_t t = 0; t < 12 + 5 * s; ++t) {
      sequences[s].push_back(static_cast<int32_t>((7 * s + 3 * t * t) % 37));
    }
  }
  return sequences;
}

// Two libraries' float32 products and softmaxes of the same numbers.
TEST(TransformerCudaTest, FloatModelEqualsTheCpu) {
  const auto here = MakeTinyModel();
  const auto there = MakeModel(TinyConfig(), 1, at::kFloat, at::kCUDA);
  const auto sequences = Sequences();
  const std::vector<int64_t> prompts(sequences.size(), 6);
  const SamplerRun want = RunSampler(*here, sequences, prompts);
  const SamplerRun got = RunSampler(*there, sequences, prompts);
  for (size_t s = 0; s < sequences.size(); ++s) {
    for (size_t t = 0; t < want.logits[s].size(); ++t) {
      EXPECT_LE((got.logits[s][t].cpu() - want.logits[s][t])
                    .abs()
                    .max()
                    .item<double>(),
                1e-3)
          << s << " " << t;
    }
  }
}

TEST(TransformerCudaTest, GradientsEqualTheCpu) {
  const auto here = MakeTinyModel();
  const auto there = MakeModel(TinyConfig(), 1, at::kFloat, at::kCUDA);
  for (Transformer* const model : {here.get(), there.get()}) {
    model->SetTrainable(true);
    const PackedTokens batch = PackSequences(Sequences(), model->device());
    model->Forward(batch).hidden.square().mean().backward();
  }
  const auto want = here->Parameters();
  const auto got = there->Parameters();
  for (size_t i = 0; i < want.size(); ++i) {
    if (!want[i].tensor.grad().defined()) continue;
    const at::Tensor a = want[i].tensor.grad();
    const at::Tensor b = got[i].tensor.grad().cpu();
    EXPECT_LE((a - b).norm().item<double>(),
              1e-3 * a.norm().item<double>() + 1e-6)
        << want[i].name;
  }
}

// What a GPU computes in: the router stays in float32, the sampler's path and
// the learner's stay close.
TEST(TransformerCudaTest, Bfloat16SamplesNearFloat) {
  const auto model = MakeModel(TinyConfig(), 1, at::kBFloat16, at::kCUDA);
  const auto wide = MakeTinyModel();
  const auto sequences = Sequences();
  const std::vector<int64_t> prompts(sequences.size(), 6);
  const SamplerRun got = RunSampler(*model, sequences, prompts);
  const SamplerRun want = RunSampler(*wide, sequences, prompts);
  double gap = 0;
  double count = 0;
  for (size_t s = 0; s < sequences.size(); ++s) {
    for (size_t t = 0; t < want.logits[s].size(); ++t) {
      gap += (got.logits[s][t].cpu() - want.logits[s][t])
                 .abs()
                 .mean()
                 .item<double>();
      ++count;
    }
  }
  EXPECT_LE(gap / count, 0.05);  // bfloat16 keeps 8 bits of the logits' ~1.
}

}  // namespace
}  // namespace cohort

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  if (const auto device = cohort::OpenDevice("cuda"); !device.ok()) {
    std::printf("skipped: %s\n", device.status().ToString().c_str());
    return 77;  // What ctest counts as skipped.
  }
  return RUN_ALL_TESTS();
}
