// The CUDA kernels against their CPU references; skipped where there is no GPU.
#include <gtest/gtest.h>
#include <torch/types.h>

#include <cstdio>
#include <limits>

#include "model/device.h"
#include "model/kernels/cuda_entry.h"
#include "model/kernels/token_logprob.h"

namespace cohort {
namespace {

struct Outputs {
  explicit Outputs(at::TensorOptions options)
      : logprobs(at::empty({5}, options)),
        entropy(at::empty({5}, options)),
        log_sum(at::empty({5}, options)) {}
  at::Tensor logprobs, entropy, log_sum;  // [5] float32
};

TokenLogprobParams ParamsOf(const at::Tensor& logits, const at::Tensor& target,
                            const Outputs& out) {
  return {.logits = logits.const_data_ptr(),
          .target = target.const_data_ptr<int64_t>(),
          .out = out.logprobs.mutable_data_ptr<float>(),
          .entropy = out.entropy.mutable_data_ptr<float>(),
          .log_sum = out.log_sum.mutable_data_ptr<float>(),
          .n = logits.size(0),
          .v = logits.size(1),
          .inv_temperature = 1.25f};
}

void CompareWithCpu(int64_t vocabulary, at::ScalarType type) {
  at::Tensor logits = (at::randn({5, vocabulary}) * 4).to(type);
  if (vocabulary > 2) {
    logits[1][0] = -std::numeric_limits<float>::infinity();
  }
  const at::Tensor target = at::randint(1, vocabulary + 1, {5}, at::kLong) - 1;
  if (vocabulary > 2) target[1] = 1;
  const at::Tensor wide = logits.to(at::kFloat).contiguous();
  const Outputs wanted(wide.options());
  TokenLogprobCpu(ParamsOf(wide, target, wanted));

  const at::Tensor there = logits.to(at::kCUDA);
  const at::Tensor target_there = target.to(at::kCUDA);
  const Outputs got(wide.options().device(at::kCUDA));
  const CudaKernels* const kernels = LoadedCudaKernels();
  ASSERT_NE(kernels, nullptr);
  const auto launch = type == at::kFloat ? kernels->token_logprob_float
                                         : kernels->token_logprob_bfloat16;
  ASSERT_EQ(launch(ParamsOf(there, target_there, got), /*stream=*/nullptr), 0);
  // Both read the same logits; sums of up to 32,000 terms differ by rounding.
  const auto expect_near = [&](const at::Tensor& a, const at::Tensor& b) {
    EXPECT_LT((a.cpu() - b).abs().max().item<float>(), 2e-5f) << vocabulary;
  };
  expect_near(got.logprobs, wanted.logprobs);
  expect_near(got.entropy, wanted.entropy);
  expect_near(got.log_sum, wanted.log_sum);
}

TEST(CudaKernelsTest, TokenLogprobEqualsTheCpu) {
  for (const int64_t vocabulary : {1, 3, 255, 256, 1000, 32000}) {
    CompareWithCpu(vocabulary, at::kFloat);
    CompareWithCpu(vocabulary, at::kBFloat16);
  }
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
