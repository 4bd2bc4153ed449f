// Log-probability of chosen tokens, and entropy, without keeping [M, V] log-
// probabilities: the head and the softmax run over chunks of rows.
#pragma once

#include <ATen/core/Tensor.h>

namespace cohort {

struct TokenLogprobs {
  at::Tensor logprobs;  // [M] float32, nats; carries the graph
  at::Tensor entropy;  // [M] float32, nats, of the whole distribution; detached
};

// hidden: [M, D], the final norm's output; head: [V, D]; targets: [M] int64.
// Logits are hidden head^T / temperature, the softmax in float32.
// Differentiable in hidden and head; the backward recomputes logits by chunks.
// The logits' bits are those of Linear, so that what the sampler computed from
// the same hidden state is found again.
TokenLogprobs LogprobsOfTokens(const at::Tensor& hidden, const at::Tensor& head,
                               const at::Tensor& targets, double temperature);

}  // namespace cohort
