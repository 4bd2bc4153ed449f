// The sampler's path held against itself and against the learner's.
#pragma once

#include <gtest/gtest.h>
#include <torch/types.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "tests/testing/tiny_model.h"

namespace cohort {

inline std::vector<std::vector<int32_t>> RandomSequences(int count,
                                                         int shortest,
                                                         int longest,
                                                         uint32_t seed = 7) {
  std::mt19937 bits(seed);
  std::vector<std::vector<int32_t>> sequences(static_cast<size_t>(count));
  for (auto& sequence : sequences) {
    const auto width = static_cast<uint32_t>(longest - shortest + 1);
    sequence.resize(static_cast<size_t>(shortest) + bits() % width);
    for (int32_t& token : sequence) token = static_cast<int32_t>(bits() % 37);
  }
  return sequences;
}

inline std::vector<int64_t> PromptsOf(
    const std::vector<std::vector<int32_t>>& sequences, int64_t tokens) {
  std::vector<int64_t> prompts;
  for (const auto& s : sequences) {
    prompts.push_back(std::min(tokens, static_cast<int64_t>(s.size())));
  }
  return prompts;
}

// The bits of everything that a run gave for one sequence.
inline std::vector<at::Tensor> RowsOf(const SamplerRun& run, size_t s) {
  std::vector<at::Tensor> rows = run.logits[s];
  rows.insert(rows.end(), run.routes[s].begin(), run.routes[s].end());
  return rows;
}

inline void ExpectSameBits(const std::vector<at::Tensor>& a,
                           const std::vector<at::Tensor>& b,
                           const std::string& what) {
  ASSERT_EQ(a.size(), b.size()) << what;
  for (size_t i = 0; i < a.size(); ++i) {
    EXPECT_TRUE(at::equal(a[i], b[i])) << what << ", row " << i;
  }
}

struct Agreement {
  double largest = 0;
  double mean = 0;
  int64_t compared = 0;
  int64_t other_experts = 0;  // Tokens whose expert sets differ.
};

// Log-probabilities of the sampled tokens: as the sampler's path gives them
// against the learner's packed forward.
inline Agreement Compare(const Transformer& model,
                         const std::vector<std::vector<int32_t>>& sequences,
                         int64_t prompt_tokens) {
  const at::NoGradGuard no_grad;
  const std::vector<int64_t> prompts = PromptsOf(sequences, prompt_tokens);
  const SamplerRun run = RunSampler(model, sequences, prompts);
  const PackedTokens packed = PackSequences(sequences, at::kCPU);
  const ForwardResult forward = model.Forward(packed);
  const at::Tensor logprobs =
      at::linear(forward.hidden, model.Head()).log_softmax(-1);
  const at::Tensor routes =
      forward.routes.empty() ? at::empty({packed.offsets.back(), 0}, at::kInt)
                             : at::stack(forward.routes, 1).to(at::kInt);
  Agreement agreement;
  for (size_t s = 0; s < sequences.size(); ++s) {
    for (int64_t t = prompts[s]; t < static_cast<int64_t>(sequences[s].size());
         ++t) {
      const size_t at = static_cast<size_t>(t);
      const int64_t row = packed.offsets[s] + t - 1;
      if (!at::equal(routes[row].flatten(), run.routes[s][at - 1].flatten())) {
        ++agreement.other_experts;
        continue;
      }
      const int32_t token = sequences[s][at];
      const double gap =
          std::abs(run.logits[s][at - static_cast<size_t>(prompts[s])]
                       .log_softmax(-1)[token]
                       .item<double>() -
                   logprobs[row][token].item<double>());
      agreement.largest = std::max(agreement.largest, gap);
      agreement.mean += gap;
      ++agreement.compared;
    }
  }
  agreement.mean /= static_cast<double>(agreement.compared);
  return agreement;
}

}  // namespace cohort
