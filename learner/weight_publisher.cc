#include "learner/weight_publisher.h"

#define XXH_INLINE_ALL
#include <torch/types.h>
#include <xxhash.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "proto/rpc.h"
#include "proto/status.h"

namespace cohort {

std::shared_ptr<const PublishedWeights> CutWeights(const Transformer& model,
                                                   int64_t version,
                                                   int64_t shard_bytes) {
  const at::NoGradGuard no_grad;
  std::string bytes;
  WeightShard first;
  for (const NamedTensor& named : model.HfTensors()) {
    const at::Tensor tensor = named.tensor.to(at::kCPU).contiguous();
    TensorInfo* const info = first.add_tensors();
    info->set_name(named.name);
    info->set_dtype(tensor.scalar_type() == at::kBFloat16 ? "BF16" : "F32");
    for (const int64_t size : tensor.sizes()) info->add_shape(size);
    bytes.append(static_cast<const char*>(tensor.const_data_ptr()),
                 tensor.nbytes());
  }

  const int64_t total = static_cast<int64_t>(bytes.size());
  const int64_t count =
      std::max<int64_t>(1, (total + shard_bytes - 1) / shard_bytes);
  auto weights = std::make_shared<PublishedWeights>();
  weights->version = version;
  std::vector<uint64_t> checksums;
  for (int64_t i = 0; i < count; ++i) {
    WeightShard shard;
    if (i == 0) shard = std::move(first);
    const int64_t offset = i * shard_bytes;
    shard.set_version(version);
    shard.set_index(static_cast<int32_t>(i));
    shard.set_count(static_cast<int32_t>(count));
    shard.set_offset(offset);
    shard.set_total_bytes(total);
    shard.set_data(bytes.substr(offset, shard_bytes));
    checksums.push_back(XXH3_64bits(shard.data().data(), shard.data().size()));
    shard.set_checksum(checksums.back());
    weights->shards.push_back(std::move(shard));
  }
  const uint64_t all =
      XXH3_64bits(checksums.data(), checksums.size() * sizeof(uint64_t));
  for (WeightShard& shard : weights->shards) shard.set_total_checksum(all);
  return weights;
}

absl::Status PublishWeights(const Transformer& model, int64_t version,
                            ExperienceStore* store, WeightBoard* board) {
  auto weights = CutWeights(model, version, kWeightShardBytes);
  const uint64_t checksum = weights->shards.front().total_checksum();
  COHORT_RETURN_IF_ERROR(store->NotePolicy(
      version, absl::StrCat(absl::Hex(checksum, absl::kZeroPad16))));
  board->Publish(std::move(weights));
  return absl::OkStatus();
}

}  // namespace cohort
