// Groups -> microbatches of packed tokens.
//
// N packed tokens, S sequences, M sampled tokens, B trajectories of the
// minibatch, K experts per token.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "learner/advantage.h"
#include "learner/grpo_loss.h"
#include "model/model_config.h"
#include "model/transformer.h"
#include "proto/types.pb.h"

namespace cohort {

// One sequence to train on. `fed` is what the model reads: everything but the
// last token, whose successor nobody asks for.
struct TrainingSequence {
  std::vector<int32_t> tokens;  // The prompt, then what was sampled.
  int64_t prompt_tokens = 0;    // >= 1.
  int64_t trajectory = 0;       // Index into LossCounts::lengths.
  double advantage = 0;         // Of every sampled token.
  bool same_policy = false;     // All of it sampled by the policy now trained.
  std::vector<float> sampler_logprobs;  // One per sampled token.
  // Experts the sampler chose for each fed token, [tokens - 1, L, K]; empty
  // where they were not recorded.
  std::vector<int32_t> routes;
};

// What fits one forward.
struct Microbatch {
  PackedTokens packed;
  at::Tensor rows;              // [M] int64, rows of N whose next was sampled
  at::Tensor targets;           // [M] int64, that next token
  at::Tensor sampler_logprobs;  // [M] float32, nats
  at::Tensor advantages;        // [M] float32
  at::Tensor trajectories;      // [M] int64, ascending
  at::Tensor same_policy;       // [M] bool, on the CPU
  at::Tensor sampler_routes;    // [N, L, K] int64, on the CPU; undefined if
                                // not recorded
};

struct Minibatch {
  std::vector<Microbatch> microbatches;
  LossCounts counts;  // Of all graded trajectories, also those left out.
};

// Which trajectories need no forward.
struct PackingRule {
  int64_t microbatch_tokens = 8192;  // A longer sequence is packed alone.
  // A trajectory with advantage 0 still has a penalty to pay.
  bool keep_zero_advantages = false;
  // Also groups without spread: to look at them, not to learn from them.
  bool keep_flat_groups = false;
  int64_t policy_version = 0;  // Of the policy now trained.
  // What the length limit cut off is left out, and counts as a trajectory
  // without tokens (DAPO, arXiv:2503.14476, overlong filtering).
  bool filter_truncated = false;
};

// Packs in the order of `groups`. A group without spread teaches nothing and is
// left out, its trajectories are counted.
//   lessons: one per group
//   kInvalidArgument  a group whose routes are not of this model, or whose
//                     lists do not match: naming it
absl::StatusOr<Minibatch> PackGroups(const std::vector<Group>& groups,
                                     const std::vector<GroupLesson>& lessons,
                                     const ModelConfig& model,
                                     const PackingRule& rule,
                                     at::Device device);

// Packs any sequences, in the given order.
std::vector<Microbatch> PackTrainingSequences(
    const std::vector<TrainingSequence>& sequences, const ModelConfig& model,
    int64_t microbatch_tokens, at::Device device);

}  // namespace cohort
