#include "model/stored_values.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "model/fp8.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temp_dir.h"

namespace cohort {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

StoredTensor Stored(Dtype dtype, const std::string& bytes) {
  StoredTensor tensor;
  tensor.name = "w";
  tensor.dtype = dtype;
  tensor.shape = {static_cast<int64_t>(bytes.size()) / DtypeBytes(dtype)};
  tensor.bytes = bytes;
  return tensor;
}

template <typename Value>
std::string BytesOf(const std::vector<Value>& values) {
  return {reinterpret_cast<const char*>(values.data()),
          values.size() * sizeof(Value)};
}

TEST(ConvertTensorTest, WidensHalfAndBfloat16Exactly) {
  // 1, -2, the largest, the smallest subnormal, -0 (IEEE 754-2008, table 3.5).
  const std::string halves("\x00\x3c\x00\xc0\xff\x7b\x01\x00\x00\x80", 10);
  std::vector<float> values(5);
  EXPECT_THAT(
      ConvertTensor(Stored(Dtype::kF16, halves), Dtype::kF32, values.data()),
      IsOkAndHolds(0));
  EXPECT_THAT(values,
              ElementsAre(1.0f, -2.0f, 65504.0f, std::ldexp(1.0f, -24), -0.0f));
  EXPECT_TRUE(std::signbit(values[4]));
  const std::string brain("\x80\x3f\x49\x40", 4);  // 1, 3.140625
  values.resize(2);
  EXPECT_THAT(
      ConvertTensor(Stored(Dtype::kBf16, brain), Dtype::kF32, values.data()),
      IsOkAndHolds(0));
  EXPECT_THAT(values, ElementsAre(1.0f, 3.140625f));
}

// Every half there is, against arithmetic on its fields.
TEST(ConvertTensorTest, EveryHalfIsWidenedByItsDefinition) {
  std::vector<uint16_t> halves(1 << 16);
  for (size_t i = 0; i < halves.size(); ++i) {
    halves[i] = static_cast<uint16_t>(i);
  }
  std::vector<float> values(halves.size());
  COHORT_ASSERT_OK(ConvertTensor(Stored(Dtype::kF16, BytesOf(halves)),
                                 Dtype::kF32, values.data()));
  for (size_t i = 0; i < halves.size(); ++i) {
    const int exponent = static_cast<int>(i >> 10 & 31);
    const int fraction = static_cast<int>(i & 1023);
    double want = exponent == 0 ? std::ldexp(fraction, -24)
                                : std::ldexp(1024 + fraction, exponent - 25);
    if (exponent == 31) want = fraction == 0 ? kInfinity : std::nan("");
    if (i >> 15 != 0) want = -want;
    if (std::isnan(want)) {
      EXPECT_TRUE(std::isnan(values[i])) << i;
    } else {
      EXPECT_EQ(values[i], want) << i;
    }
  }
}

// Ties to the even neighbour (IEEE 754): 0x3F808000 lies between 0x3F80 and
// 0x3F81, 0x3F818000 between 0x3F81 and 0x3F82.
TEST(ConvertTensorTest, RoundsToBfloat16OnceAndToEven) {
  const std::vector<uint32_t> bits = {0x3F808000, 0x3F818000, 0x3F808001,
                                      0x3F807FFF, 0xBF818000, 0x00000001};
  std::vector<uint16_t> values(bits.size());
  EXPECT_THAT(ConvertTensor(Stored(Dtype::kF32, BytesOf(bits)), Dtype::kBf16,
                            values.data()),
              IsOkAndHolds(0));
  EXPECT_THAT(values,
              ElementsAre(0x3F80, 0x3F82, 0x3F81, 0x3F80, 0xBF82, 0x0000));
}

// What overflows the narrower format counts, too: it would be computed with.
TEST(ConvertTensorTest, CountsWhatIsNotFinite) {
  const std::vector<float> floats = {1, std::nanf(""), kInfinity, -kInfinity,
                                     std::numeric_limits<float>::max()};
  std::vector<float> wide(floats.size());
  EXPECT_THAT(ConvertTensor(Stored(Dtype::kF32, BytesOf(floats)), Dtype::kF32,
                            wide.data()),
              IsOkAndHolds(3));
  std::vector<uint16_t> narrow(floats.size());
  EXPECT_THAT(ConvertTensor(Stored(Dtype::kF32, BytesOf(floats)), Dtype::kBf16,
                            narrow.data()),
              IsOkAndHolds(4));
  EXPECT_TRUE(std::isnan(std::bit_cast<float>(uint32_t{narrow[1]} << 16)));
  const std::vector<uint16_t> halves = {0x7C00, 0x7C01, 0xFE00, 0x7BFF};
  EXPECT_THAT(ConvertTensor(Stored(Dtype::kF16, BytesOf(halves)), Dtype::kF32,
                            wide.data()),
              IsOkAndHolds(3));
}

TEST(ConvertTensorTest, ScalesInE8M0ArePowersOfTwo) {
  const std::string codes("\x7f\x80\x7e\x00\xfe\xff", 6);
  std::vector<float> values(6);
  EXPECT_THAT(
      ConvertTensor(Stored(Dtype::kF8E8M0, codes), Dtype::kF32, values.data()),
      IsOkAndHolds(1));
  EXPECT_EQ(values[0], 1.0f);
  EXPECT_EQ(values[1], 2.0f);
  EXPECT_EQ(values[2], 0.5f);
  EXPECT_EQ(values[3], std::ldexp(1.0f, -127));
  EXPECT_EQ(values[4], std::ldexp(1.0f, 127));
  EXPECT_TRUE(std::isnan(values[5]));
}

TEST(ConvertTensorTest, IntegerWeightsAreNotSupported) {
  float value = 0;
  EXPECT_THAT(
      ConvertTensor(Stored(Dtype::kI32, "abcd"), Dtype::kF32, &value),
      StatusIs(absl::StatusCode::kUnimplemented, HasSubstr("w: weights of")));
}

// A file of one FP8 matrix with its scales, and a long float32 row.
class CopyWeightsTest : public testing::Test {
 protected:
  static constexpr int64_t kRows = 2500;  // Several pieces, partial blocks.
  static constexpr int64_t kColumns = 3001;
  static constexpr int64_t kBlock = 128;

  void SetUp() override {
    for (int64_t i = 0; i < kRows * kColumns; ++i) {
      codes_.push_back(static_cast<uint8_t>(i * 37 % 126));  // No NaN.
    }
    const int64_t grid_rows = (kRows + kBlock - 1) / kBlock;
    const int64_t grid_columns = (kColumns + kBlock - 1) / kBlock;
    for (int64_t i = 0; i < grid_rows * grid_columns; ++i) {
      scales_.push_back(0.001f * static_cast<float>(i + 1));
    }
    row_.assign(3 << 20, 0.5f);
    row_[2 << 20] = std::nanf("");
    const std::string path = folder_ / "w.safetensors";
    COHORT_ASSERT_OK(WriteSafetensors(
        path, {{"m", Dtype::kF8E4M3, {kRows, kColumns}, ViewOf(codes_)},
               {"s", Dtype::kF32, {grid_rows, grid_columns}, ViewOf(scales_)},
               {"x", Dtype::kF32, {3 << 20}, ViewOf(row_)}}));
    auto file = SafetensorsFile::Open(path);
    COHORT_ASSERT_OK(file);
    file_ = *std::move(file);
  }

  template <typename Value>
  static std::function<std::string_view()> ViewOf(
      const std::vector<Value>& values) {
    return [&values] {
      return std::string_view(reinterpret_cast<const char*>(values.data()),
                              values.size() * sizeof(Value));
    };
  }

  WeightCopy CopyOf(const char* name, const char* scales, Dtype to,
                    void* target) {
    return {.file = file_.get(),
            .from = file_->Find(name),
            .scales = scales == nullptr ? nullptr : file_->Find(scales),
            .block_rows = kBlock,
            .block_columns = kBlock,
            .to = to,
            .target = target};
  }

  TempDir folder_;
  std::vector<uint8_t> codes_;
  std::vector<float> scales_;
  std::vector<float> row_;
  std::unique_ptr<SafetensorsFile> file_;
};

TEST_F(CopyWeightsTest, AnyNumberOfThreadsGivesEveryBlockItsScale) {
  const int64_t grid_columns = (kColumns + kBlock - 1) / kBlock;
  for (const int threads : {1, 2, 3}) {
    std::vector<float> matrix(codes_.size());
    std::vector<float> row(row_.size());
    std::vector<WeightCopy> copies = {
        CopyOf("m", "s", Dtype::kF32, matrix.data()),
        CopyOf("x", nullptr, Dtype::kF32, row.data())};
    CopyWeights(absl::MakeSpan(copies), threads);
    EXPECT_EQ(copies[0].not_finite, 0);
    EXPECT_EQ(copies[1].not_finite, 1);
    EXPECT_EQ(std::memcmp(row.data(), row_.data(), row.size() * 4), 0);
    for (int64_t r = 0; r < kRows; ++r) {
      for (int64_t c = 0; c < kColumns; ++c) {
        const float scale = scales_[static_cast<size_t>(
            r / kBlock * grid_columns + c / kBlock)];
        const size_t i = static_cast<size_t>(r * kColumns + c);
        ASSERT_EQ(matrix[i], DecodeE4M3(codes_[i]) * scale) << r << "," << c;
      }
    }
  }
}

TEST_F(CopyWeightsTest, Bfloat16IsTheRoundedProduct) {
  std::vector<float> wide(codes_.size());
  std::vector<uint16_t> narrow(codes_.size());
  std::vector<WeightCopy> copies = {
      CopyOf("m", "s", Dtype::kF32, wide.data()),
      CopyOf("m", "s", Dtype::kBf16, narrow.data())};
  CopyWeights(absl::MakeSpan(copies), 2);
  std::vector<uint16_t> rounded(codes_.size());
  COHORT_ASSERT_OK(ConvertTensor(Stored(Dtype::kF32, BytesOf(wide)),
                                 Dtype::kBf16, rounded.data()));
  EXPECT_EQ(narrow, rounded);
}

// What was given back is read from the file again.
TEST_F(CopyWeightsTest, BytesGivenBackAreStillThere) {
  const StoredTensor* const x = file_->Find("x");
  file_->GiveBack(x->bytes);
  EXPECT_EQ(std::memcmp(x->bytes.data(), row_.data(), x->bytes.size()), 0);
  const std::string bytes = TempDir::Read(folder_ / "w.safetensors");
  const auto in_memory = SafetensorsFile::Parse(bytes, "memory");
  COHORT_ASSERT_OK(in_memory);
  (*in_memory)->GiveBack((*in_memory)->Find("x")->bytes);
  EXPECT_EQ((*in_memory)->Find("x")->bytes, x->bytes);
}

}  // namespace
}  // namespace cohort
