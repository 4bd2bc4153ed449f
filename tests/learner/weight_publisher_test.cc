#include "learner/weight_publisher.h"

#include <torch/types.h>
#include <xxhash.h>

#include <cstring>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "tests/testing/tiny_model.h"

namespace cohort {
namespace {

TEST(WeightPublisherTest, ShardsAddUpToTheTensorsInTheirOrder) {
  const auto model = MakeTinyModel();
  const auto weights = CutWeights(*model, 7, 1000);
  ASSERT_GT(weights->shards.size(), 10);
  std::string bytes;
  std::vector<uint64_t> checksums;
  for (size_t i = 0; i < weights->shards.size(); ++i) {
    const WeightShard& shard = weights->shards[i];
    EXPECT_EQ(shard.version(), 7);
    EXPECT_EQ(shard.index(), i);
    EXPECT_EQ(shard.count(), weights->shards.size());
    EXPECT_EQ(shard.offset(), bytes.size());
    EXPECT_LE(shard.data().size(), 1000);
    EXPECT_EQ(shard.checksum(),
              XXH3_64bits(shard.data().data(), shard.data().size()));
    EXPECT_EQ(shard.tensors_size() > 0, i == 0);
    checksums.push_back(shard.checksum());
    bytes += shard.data();
  }
  const uint64_t all = XXH3_64bits(checksums.data(), checksums.size() * 8);
  for (const WeightShard& shard : weights->shards) {
    EXPECT_EQ(shard.total_checksum(), all);
    EXPECT_EQ(shard.total_bytes(), bytes.size());
  }
  const char* next = bytes.data();
  const auto tensors = model->HfTensors();
  ASSERT_EQ(weights->shards[0].tensors_size(), tensors.size());
  for (size_t i = 0; i < tensors.size(); ++i) {
    const TensorInfo& info = weights->shards[0].tensors(static_cast<int>(i));
    EXPECT_EQ(info.name(), tensors[i].name);
    const at::Tensor own = tensors[i].tensor.contiguous();
    EXPECT_EQ(std::memcmp(next, own.const_data_ptr(), own.nbytes()), 0)
        << info.name();
    next += own.nbytes();
  }
  EXPECT_EQ(next, bytes.data() + bytes.size());
}

}  // namespace
}  // namespace cohort
