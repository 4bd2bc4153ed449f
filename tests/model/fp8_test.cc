// Against torch's float8_e4m3fn and products of dequantised matrices in float64
// (tests/data/README.md).
#include "model/fp8.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <vector>

#include "model/safetensors.h"
#include "tests/testing/status_matchers.h"

namespace cohort {
namespace {

constexpr int64_t kBlock = 128;

TEST(Fp8Test, EveryCodeDecodesAsTheTableSays) {
  const nlohmann::json table = nlohmann::json::parse(
      std::ifstream("tests/data/parity/fp8/e4m3.json"))["decode_table"];
  ASSERT_EQ(table.size(), 256u);
  for (size_t code = 0; code < 256; ++code) {
    const float value = DecodeE4M3(static_cast<uint8_t>(code));
    if (table[code].is_null()) {
      EXPECT_TRUE(std::isnan(value)) << code;
      continue;
    }
    EXPECT_EQ(value, table[code].get<float>()) << code;
    EXPECT_EQ(std::signbit(value), code >= 128) << code;
  }
}

// Bytes of a published checkpoint with a power-of-two scale, and the values
// that its makers' code decodes them to.
TEST(Fp8Test, PublishedBytesDecode) {
  const std::vector<uint8_t> codes = {0xd8, 0x71, 0xf2, 0x79,
                                      0x70, 0x69, 0xf0, 0xe5};
  const std::vector<float> want = {-0.00390625f, 0.03515625f,   -0.0390625f,
                                   0.0703125f,   0.03125f,      0.017578125f,
                                   -0.03125f,    -0.0126953125f};
  const float scale = DecodeE8M0(0x73);
  std::vector<float> values(8);
  EXPECT_EQ(DequantiseRows({.codes = codes.data(),
                            .scales = &scale,
                            .rows = 1,
                            .columns = 8,
                            .block_rows = kBlock,
                            .block_columns = kBlock},
                           0, 1, Dtype::kF32, values.data()),
            0);
  EXPECT_EQ(values, want);
}

TEST(Fp8Test, CodesThatAreNoNumbersAreCounted) {
  const std::vector<uint8_t> codes = {0x7f, 0x00, 0xff, 0x7e};
  const std::vector<float> scales = {1.0f, std::nanf("")};
  std::vector<float> values(4);
  EXPECT_EQ(DequantiseRows({.codes = codes.data(),
                            .scales = scales.data(),
                            .rows = 1,
                            .columns = 4,
                            .block_rows = 1,
                            .block_columns = 3},
                           0, 1, Dtype::kF32, values.data()),
            3);
}

class ProductTest : public testing::Test {
 protected:
  void SetUp() override {
    auto file = SafetensorsFile::Open("tests/data/parity/fp8/fp8.safetensors");
    COHORT_ASSERT_OK(file);
    file_ = *std::move(file);
  }

  std::vector<float> Floats(const std::string& name) const {
    const StoredTensor* const tensor = file_->Find(name);
    EXPECT_NE(tensor, nullptr) << name;
    std::vector<float> values(static_cast<size_t>(tensor->Elements()));
    std::memcpy(values.data(), tensor->bytes.data(), tensor->bytes.size());
    return values;
  }

  std::vector<float> Dequantised(const std::string& codes,
                                 const std::string& scales,
                                 int64_t block_rows) const {
    const StoredTensor* const q = file_->Find(codes);
    const std::vector<float> factors = Floats(scales);
    std::vector<float> values(q->bytes.size());
    EXPECT_EQ(DequantiseRows(
                  {.codes = reinterpret_cast<const uint8_t*>(q->bytes.data()),
                   .scales = factors.data(),
                   .rows = q->shape[0],
                   .columns = q->shape[1],
                   .block_rows = block_rows,
                   .block_columns = kBlock},
                  0, q->shape[0], Dtype::kF32, values.data()),
              0);
    return values;
  }

  std::unique_ptr<SafetensorsFile> file_;
};

// Sizes that are no multiples of the block, scales of either kind.
TEST_F(ProductTest, OfDequantisedMatricesEqualsTheReference) {
  int cases = 0;
  for (const StoredTensor& weight : file_->tensors()) {
    const size_t end = weight.name.find(".w_q");
    if (end == std::string::npos) continue;
    const std::string name = weight.name.substr(0, end);
    const std::vector<float> w =
        Dequantised(name + ".w_q", name + ".w_scale_inv", kBlock);
    const std::vector<float> x =
        Dequantised(name + ".x_q", name + ".x_scale", 1);
    const std::vector<float> out = Floats(name + ".out");
    const size_t n = static_cast<size_t>(weight.shape[0]);
    const size_t k = static_cast<size_t>(weight.shape[1]);
    double largest = 0;
    for (const float value : out) {
      largest = std::max(largest, std::abs(double{value}));
    }
    for (size_t i = 0; i < out.size(); ++i) {
      double sum = 0;
      for (size_t j = 0; j < k; ++j) {
        sum += double{x[i / n * k + j]} * double{w[i % n * k + j]};
      }
      // The reference's own tolerance.
      ASSERT_NEAR(out[i], sum, 1e-5 * largest) << name << " at " << i;
    }
    ++cases;
  }
  EXPECT_EQ(cases, 8);
}

}  // namespace
}  // namespace cohort
