// A product shared by threads is the product of one thread, bit for bit: no
// element depends on where the work is cut.
#include "model/packed_matrix.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "absl/strings/str_cat.h"

namespace cohort {
namespace {

std::vector<float> Random(int64_t size, uint32_t seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(static_cast<size_t>(size));
  for (float& value : values) value = normal(generator);
  return values;
}

// Inputs are chosen so that every product here is worth several threads, or
// none. One panel is 64 outputs.
TEST(PackedMatrixTest, ThreadsShareAProductWithoutAChange) {
  for (const int64_t outputs : {1, 33, 64, 65, 448, 1000}) {
    for (const int64_t m : {1, 15, 16, 17, 64}) {
      const int64_t inputs = 517;
      const std::vector<float> x = Random(m * inputs, 1);
      const std::vector<float> weight = Random(outputs * inputs, 2);
      PackedMemory memory;
      const PackedMatrix next(weight.data(), outputs, inputs, &memory);
      PackedMatrix matrix(weight.data(), outputs, inputs, &memory);
      matrix.SetNext(&next);
      std::vector<float> wanted(static_cast<size_t>(m * outputs));
      matrix.MultiplyAlone(m, x.data(), inputs, wanted.data(), outputs,
                           /*ahead=*/nullptr);
      for (const auto& [row, output] :
           {std::pair(int64_t{0}, outputs - 1), std::pair(m - 1, int64_t{0})}) {
        float sum = 0;
        for (int64_t k = 0; k < inputs; ++k) {
          sum = std::fma(x[static_cast<size_t>(row * inputs + k)],
                         weight[static_cast<size_t>(output * inputs + k)], sum);
        }
        ASSERT_EQ(wanted[static_cast<size_t>(row * outputs + output)], sum);
      }
      for (const int threads : {1, 2, 3, 5}) {
        Team team(threads);
        std::vector<float> y(wanted.size(), std::nanf(""));
        matrix.Multiply(m, x.data(), inputs, y.data(), outputs, &team);
        ASSERT_EQ(y, wanted) << absl::StrCat(m, " rows, ", outputs,
                                             " outputs, ", threads, " threads");
      }
    }
  }
}

}  // namespace
}  // namespace cohort
