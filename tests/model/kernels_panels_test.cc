// Products with packed weights: every element is the chain of fused
// multiply-adds that model/kernels/gemm.h names, whatever the tiling that a
// number of rows brings with it.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "hwy/targets.h"
#include "model/kernels/panels.h"

namespace cohort {
namespace {

struct Shape {
  int64_t k;
  int64_t o;
};

std::vector<float> Random(int64_t size, uint32_t seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(static_cast<size_t>(size));
  for (float& value : values) value = normal(generator);
  return values;
}

// What a product of `most` rows reads and what it must give.
class Product {
 public:
  Product(const Shape& shape, int64_t most)
      : shape_(shape),
        x_(Random(most * shape.k, 1)),
        weight_(Random(shape.o * shape.k, 2)),
        begin_(Random(most * shape.o, 3)),
        panels_(static_cast<size_t>(PanelFloats(shape.o, shape.k))) {
    PackPanels(weight_.data(), shape.k, shape.o, shape.k, panels_.data());
  }

  // Rows [first, first + m).
  std::vector<float> Run(int64_t first, int64_t m, bool accumulate,
                         bool fetch) const {
    std::vector<float> y(begin_.begin() + first * shape_.o,
                         begin_.begin() + (first + m) * shape_.o);
    MultiplyPanels({.m = m,
                    .k = shape_.k,
                    .o = shape_.o,
                    .x = x_.data() + first * shape_.k,
                    .x_row = shape_.k,
                    .panels = panels_.data(),
                    .y = y.data(),
                    .y_row = shape_.o,
                    .accumulate = accumulate,
                    .next = fetch ? panels_.data() : nullptr});
    return y;
  }

  std::vector<float> Wanted(int64_t m, bool accumulate) const {
    std::vector<float> y;
    for (int64_t i = 0; i < m; ++i) {
      for (int64_t o = 0; o < shape_.o; ++o) {
        float sum =
            accumulate ? begin_[static_cast<size_t>(i * shape_.o + o)] : 0.0f;
        for (int64_t k = 0; k < shape_.k; ++k) {
          sum = std::fma(x_[static_cast<size_t>(i * shape_.k + k)],
                         weight_[static_cast<size_t>(o * shape_.k + k)], sum);
        }
        y.push_back(sum);
      }
    }
    return y;
  }

 private:
  const Shape shape_;
  const std::vector<float> x_, weight_, begin_;
  std::vector<float> panels_;
};

constexpr Shape kShapes[] = {{1, 1},    {17, 8},    {64, 64},  {65, 35},
                             {129, 90}, {130, 130}, {600, 50}, {1100, 65}};

TEST(PanelsTest, EveryElementIsOneChainOverK) {
  constexpr int64_t kMost = 31;  // Every height of tile, one to many passes.
  for (const Shape& shape : kShapes) {
    const Product product(shape, kMost);
    for (const bool accumulate : {false, true}) {
      const std::vector<float> wanted = product.Wanted(kMost, accumulate);
      for (int64_t m = 1; m <= kMost; ++m) {
        ASSERT_TRUE(std::equal(
            wanted.begin(), wanted.begin() + m * shape.o,
            product.Run(0, m, accumulate, /*fetch=*/m % 2 == 0).begin()))
            << "k " << shape.k << " o " << shape.o << " m " << m;
      }
    }
  }
}

TEST(PanelsTest, RowsStandAlone) {
  constexpr int64_t kRows = 500;  // More than one block of rows.
  const Product product({70, 100}, kRows);
  const std::vector<float> all = product.Run(0, kRows, false, true);
  for (const int64_t m : {1, 7, 64}) {
    for (int64_t first = 0; first + m <= kRows; first += m) {
      const std::vector<float> some = product.Run(first, m, false, true);
      ASSERT_TRUE(
          std::equal(some.begin(), some.end(), all.begin() + first * 100))
          << m << " rows from " << first;
    }
  }
}

TEST(PanelsTest, ResultsIgnoreTheVectorWidth) {
  const int64_t both = HWY_AVX3 | HWY_AVX2;
  if ((hwy::SupportedTargets() & both) != both) {
    GTEST_SKIP() << "one vector width only";
  }
  for (const Shape& shape : kShapes) {
    const Product product(shape, 26);
    const auto run = [&](int64_t target, int64_t m) {
      hwy::SetSupportedTargetsForTest(target);
      hwy::GetChosenTarget().DeInit();
      std::vector<float> y = product.Run(0, m, false, true);
      hwy::SetSupportedTargetsForTest(0);
      hwy::GetChosenTarget().DeInit();
      return y;
    };
    for (const int64_t m : {1, 5, 8, 13, 26}) {
      EXPECT_EQ(run(HWY_AVX3, m), run(HWY_AVX2, m))
          << "k " << shape.k << " o " << shape.o << " m " << m;
    }
  }
}

}  // namespace
}  // namespace cohort
