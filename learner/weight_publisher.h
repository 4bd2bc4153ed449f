// New weights -> all workers: cut into shards with checksums, so that a worker
// applies all of a version or nothing of it.
#pragma once

#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "learner/experience_store.h"
#include "learner/weight_board.h"
#include "model/transformer.h"

namespace cohort {

// The weights of `model` as one version; shards hold at most `shard_bytes`.
std::shared_ptr<const PublishedWeights> CutWeights(const Transformer& model,
                                                   int64_t version,
                                                   int64_t shard_bytes);

// Notes the weights of `model` in the store, by the checksum that every worker
// gets, and puts them on the board as `version`.
absl::Status PublishWeights(const Transformer& model, int64_t version,
                            ExperienceStore* store, WeightBoard* board);

}  // namespace cohort
