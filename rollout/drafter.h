// Guesses at next tokens, made by the model's own multi-token prediction head
// (DeepSeek-V3, arXiv:2412.19437, section 5.4.3): self-speculative decoding.
//
// The engine feeds a guess behind the token that it follows, draws the true
// next token from the model's own logits and keeps what the guess' row gave
// only where the two are equal. A guess is drawn with the random number of the
// token that it stands for, so that a head which agrees with the model guesses
// right at any temperature. No completion depends on a guess: with and without
// them each is the same, bit for bit, where a row's result does not depend on
// how many are computed with it (model/linear.h): in float32 on the CPU.
//
// Reinforcement learning leaves the head as it is: a loss of its own would pull
// at the embedding and the output head that it shares with the policy, and add
// to the gradient's norm, which is clipped. Policies stay close to the base
// that it was trained on: on the chain demo the share of right guesses is 0.95
// before 40 steps, never below 0.88 in them, and 0.94 behind them.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "model/kv_cache.h"
#include "model/transformer.h"
#include "rollout/row_sampler.h"
#include "rollout/sequence.h"

namespace cohort {

class Drafter {
 public:
  static constexpr int32_t kNoGuess = -1;

  // The model must have a prediction head and the cache its layer. All must
  // outlive the drafter.
  Drafter(const Transformer* model, KvCache* cache, RowSampler* sampler)
      : model_(model), cache_(cache), sampler_(sampler) {}

  // What the model made of the cached tokens of `sequence` from `position` on,
  // one row each: [1 or 2, D], the last being of the token before the one
  // sampled last.
  void Note(const Sequence* sequence, int64_t position, at::Tensor hidden);
  void Forget(const Sequence* sequence) { noted_.erase(sequence); }

  // The token after the one sampled last, for those whose tables have room for
  // it; kNoGuess for the others. Takes in what was noted of all of them.
  std::vector<int32_t> Guess(const std::vector<Sequence*>& sequences);

 private:
  struct Noted {
    int64_t position;
    at::Tensor hidden;
  };

  const Transformer* const model_;
  KvCache* const cache_;
  RowSampler* const sampler_;
  std::unordered_map<const Sequence*, Noted> noted_;
};

}  // namespace cohort
