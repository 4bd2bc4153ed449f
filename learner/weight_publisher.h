// New weights -> all workers: cut into shards with checksums, so that a worker
// applies all of a version or nothing of it.
#pragma once

#include <cstdint>
#include <memory>

#include "learner/weight_board.h"
#include "model/transformer.h"

namespace cohort {

// The weights of `model` as one version; shards hold at most `shard_bytes`.
std::shared_ptr<const PublishedWeights> CutWeights(const Transformer& model,
                                                   int64_t version,
                                                   int64_t shard_bytes);

// Puts the weights of `model` on the board as `version`.
void PublishWeights(const Transformer& model, int64_t version,
                    WeightBoard* board);

}  // namespace cohort
