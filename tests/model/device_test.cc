#include "model/device.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/types.h>

#include "tests/testing/status_matchers.h"

namespace cohort {
namespace {

TEST(DeviceTest, TheCpuIsAlwaysThere) {
  EXPECT_THAT(OpenDevice("cpu"), IsOkAndHolds(at::Device(at::kCPU)));
  EXPECT_EQ(ComputeDtype(at::kCPU), at::kFloat);
  EXPECT_EQ(ComputeDtype(at::kCUDA), at::kBFloat16);
  EXPECT_THAT(ChooseDtype("", at::kCUDA), IsOkAndHolds(at::kBFloat16));
  EXPECT_THAT(ChooseDtype("bfloat16", at::kCPU), IsOkAndHolds(at::kBFloat16));
  EXPECT_THAT(ChooseDtype("float32", at::kCUDA), IsOkAndHolds(at::kFloat));
  EXPECT_THAT(ChooseDtype("float8", at::kCPU),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       testing::HasSubstr("\"float8\"")));
}

TEST(DeviceTest, AnotherNameIsRefused) {
  EXPECT_THAT(OpenDevice("tpu"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       testing::HasSubstr("\"tpu\" is none of")));
}

TEST(DeviceTest, CudaIsThereOrSaysWhyNot) {
  const auto automatic = OpenDevice("auto");
  COHORT_ASSERT_OK(automatic);
  const auto cuda = OpenDevice("cuda");
  if (automatic->is_cuda()) {
    COHORT_EXPECT_OK(cuda);
  } else {
    EXPECT_THAT(cuda, StatusIs(absl::StatusCode::kFailedPrecondition,
                               testing::HasSubstr("no NVIDIA GPU")));
  }
}

}  // namespace
}  // namespace cohort
