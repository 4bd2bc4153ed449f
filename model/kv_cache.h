// The paged cache of attention. A token's row in a layer is, for
//   MLA               the normalised latent (R values) and the rotated key
//   shared
//                     by all heads (P values), and nothing else
//   sparse attention  the same, then the indexer's key (index_head_dim values)
//   grouped queries   the rotated keys of all kv heads, then their values
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "model/model_config.h"

namespace cohort {

// Storage only: who owns which block is the block manager's business
// (rollout/block_manager.h).
class KvCache {
 public:
  // `blocks` blocks of `block_tokens` tokens in every layer; `ahead`: in that
  // of the multi-token prediction head too. kResourceExhausted when memory does
  // not suffice.
  static absl::StatusOr<KvCache> Create(const ModelConfig& config,
                                        int64_t blocks, int64_t block_tokens,
                                        at::ScalarType dtype, at::Device device,
                                        bool ahead = false);

  // [blocks, block_tokens, config.CacheWidth()].
  const at::Tensor& layer(int64_t i) const { return layers_[i]; }
  // Of the prediction head, likewise; undefined where there is none.
  const at::Tensor& ahead() const { return ahead_; }
  int64_t blocks() const { return blocks_; }
  int64_t block_tokens() const { return block_tokens_; }

  // Copies block `from` to block `to` in all layers, the head's among them.
  void CopyBlock(int64_t from, int64_t to);

  // config.CacheWidth() * bytes per value, for one token in one layer.
  static int64_t BytesPerToken(const ModelConfig& config, at::ScalarType dtype);

 private:
  std::vector<at::Tensor> layers_;
  at::Tensor ahead_;
  int64_t blocks_ = 0;
  int64_t block_tokens_ = 0;
};

}  // namespace cohort
