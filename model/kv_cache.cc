#include "model/kv_cache.h"

#include <torch/types.h>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "model/guard.h"

namespace cohort {

int64_t KvCache::BytesPerToken(const ModelConfig& config,
                               at::ScalarType dtype) {
  return config.CacheWidth() * static_cast<int64_t>(c10::elementSize(dtype));
}

absl::StatusOr<KvCache> KvCache::Create(const ModelConfig& config,
                                        int64_t blocks, int64_t block_tokens,
                                        at::ScalarType dtype, at::Device device,
                                        bool ahead) {
  if (blocks < 1 || block_tokens < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("cache of ", blocks, " blocks of ", block_tokens,
                     " tokens: both must be positive"));
  }
  KvCache cache;
  cache.blocks_ = blocks;
  cache.block_tokens_ = block_tokens;
  const absl::Status allocated = GuardTorch([&] {
    const c10::InferenceMode no_inference(false);
    const auto allocate = [&] {
      return at::empty({blocks, block_tokens, config.CacheWidth()},
                       at::TensorOptions().dtype(dtype).device(device));
    };
    for (int64_t i = 0; i < config.num_hidden_layers; ++i) {
      cache.layers_.push_back(allocate());
    }
    if (ahead) cache.ahead_ = allocate();
  });
  if (!allocated.ok()) {
    return absl::ResourceExhaustedError(
        absl::StrCat("cache of ", blocks, " blocks of ", block_tokens,
                     " tokens in ", config.num_hidden_layers + (ahead ? 1 : 0),
                     " layers (", BytesPerToken(config, dtype),
                     " bytes per token and layer): ", allocated.message()));
  }
  return cache;
}

void KvCache::CopyBlock(int64_t from, int64_t to) {
  for (const at::Tensor& layer : layers_) {
    layer.select(0, to).copy_(layer.select(0, from));
  }
  if (ahead_.defined()) ahead_.select(0, to).copy_(ahead_.select(0, from));
}

}  // namespace cohort
