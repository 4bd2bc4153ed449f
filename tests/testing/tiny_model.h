// A small model with every part that the real ones have, for tests that need
// some model, and the sampler's way of running one.
#pragma once

#include <torch/types.h>

#include <algorithm>
#include <cstdio>
#include <limits>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "model/checkpoint.h"
#include "model/kv_cache.h"
#include "model/transformer.h"
#include "proto/check.h"

namespace cohort {

// MLA with q_lora, YaRN, a dense layer, two MoE layers with groups and a shared
// expert.
inline std::string TinyConfigJson() {
  return R"({
    "architectures": ["DeepseekV3ForCausalLM"], "model_type": "deepseek_v3",
    "vocab_size": 37, "hidden_size": 48, "intermediate_size": 80,
    "moe_intermediate_size": 24, "num_hidden_layers": 3,
    "num_attention_heads": 3, "num_key_value_heads": 3, "q_lora_rank": 20,
    "kv_lora_rank": 24, "qk_nope_head_dim": 12, "qk_rope_head_dim": 8,
    "v_head_dim": 10, "n_routed_experts": 8, "n_shared_experts": 1,
    "num_experts_per_tok": 2, "first_k_dense_replace": 1, "moe_layer_freq": 1,
    "n_group": 4, "topk_group": 2, "norm_topk_prob": true,
    "routed_scaling_factor": 2.5, "scoring_func": "sigmoid",
    "topk_method": "noaux_tc", "hidden_act": "silu", "attention_bias": false,
    "rms_norm_eps": 1e-06, "rope_theta": 10000.0, "rope_interleave": true,
    "rope_scaling": {"type": "yarn", "factor": 4.0, "beta_fast": 32,
      "beta_slow": 1, "mscale": 1.0, "mscale_all_dim": 1.0,
      "original_max_position_embeddings": 32},
    "max_position_embeddings": 128, "tie_word_embeddings": false,
    "initializer_range": 0.02, "num_nextn_predict_layers": 0,
    "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 2,
    "torch_dtype": "float32"})";
}

inline ModelConfig TinyConfig() {
  absl::StatusOr<ModelConfig> config =
      ParseModelConfig(TinyConfigJson(), "tiny");
  if (!config.ok()) {
    std::fprintf(stderr, "%s\n", config.status().ToString().c_str());
  }
  COHORT_CHECK(config.ok());
  return *config;
}

inline std::unique_ptr<Transformer> MakeModel(const ModelConfig& config,
                                              uint64_t seed = 1,
                                              at::ScalarType dtype = at::kFloat,
                                              at::Device device = at::kCPU) {
  auto model = Transformer::Create(config, dtype, device);
  COHORT_CHECK(model.ok());
  (*model)->Initialise("fan_in", 0.5, seed);
  // A bias that decides, so that forgetting it shows.
  for (const at::Tensor& bias : (*model)->CorrectionBiases()) {
    bias.copy_(at::linspace(-0.1, 0.1, bias.size(0)));
  }
  (*model)->WeightsChanged();
  return *std::move(model);
}

inline std::unique_ptr<Transformer> MakeTinyModel(uint64_t seed = 1) {
  return MakeModel(TinyConfig(), seed);
}

// Runs the sampler's path over given tokens: a prefill of each sequence's
// prompt, then one token at a time, all sequences together.
struct SamplerRun {
  // Of each sequence: rows of the logits from the prompt's last token on.
  std::vector<std::vector<at::Tensor>> logits;  // each [V]
  // Chosen experts of each token: [MoE layers, K] int32.
  std::vector<std::vector<at::Tensor>> routes;
};

struct SamplerLayout {
  int64_t block_tokens = 4;
  // Which block of the cache stands for the i-th one handed out; empty: i.
  std::vector<int64_t> block_order;
};

// The cache and the block tables of one run.
class SamplerCache {
 public:
  SamplerCache(const Transformer& model, int64_t sequences, int64_t longest,
               const SamplerLayout& layout)
      : block_tokens_(layout.block_tokens) {
    const int64_t width = (longest + block_tokens_ - 1) / block_tokens_;
    std::vector<int64_t> order = layout.block_order;
    if (order.empty()) {
      order.resize(static_cast<size_t>(sequences * width));
      std::iota(order.begin(), order.end(), 0);
    }
    auto cache = KvCache::Create(
        model.config(), static_cast<int64_t>(order.size()), block_tokens_,
        model.Head().scalar_type(), model.device(),
        /*ahead=*/model.config().num_nextn_predict_layers > 0);
    COHORT_CHECK(cache.ok());
    cache_ = *std::move(cache);
    // What was never written must never matter.
    constexpr float kNothing = std::numeric_limits<float>::quiet_NaN();
    for (int64_t i = 0; i < model.config().num_hidden_layers; ++i) {
      cache_.layer(i).fill_(kNothing);
    }
    if (cache_.ahead().defined()) cache_.ahead().fill_(kNothing);
    tables_ = at::tensor(order, at::kLong)
                  .narrow(0, 0, sequences * width)
                  .view({sequences, width})
                  .to(at::kInt);
  }

  KvCache* cache() { return &cache_; }
  const at::Tensor& tables() const { return tables_; }
  int64_t Slot(size_t s, int64_t t) const {
    const at::Tensor block =
        tables_[static_cast<int64_t>(s)][t / block_tokens_];
    return int64_t{block.item<int>()} * block_tokens_ + t % block_tokens_;
  }

 private:
  int64_t block_tokens_;
  KvCache cache_;
  at::Tensor tables_;
};

// Appends to `run` what one step gave for the sequences in `live`.
inline void Append(const SampleResult& result, const std::vector<int64_t>& live,
                   SamplerRun* run) {
  for (size_t i = 0; i < live.size(); ++i) {
    const int64_t row = static_cast<int64_t>(i);
    const size_t s = static_cast<size_t>(live[i]);
    run->logits[s].push_back(result.logits[row].clone());
    run->routes[s].push_back(result.routes[row].clone());
  }
}

inline void RunPrompts(const Transformer& model,
                       const std::vector<std::vector<int32_t>>& sequences,
                       const std::vector<int64_t>& prompt_tokens,
                       SamplerCache* cache, SamplerRun* run) {
  std::vector<std::vector<int32_t>> prompts;
  std::vector<int64_t> slots;
  for (size_t s = 0; s < sequences.size(); ++s) {
    prompts.emplace_back(sequences[s].begin(),
                         sequences[s].begin() + prompt_tokens[s]);
    for (int64_t t = 0; t < prompt_tokens[s]; ++t) {
      slots.push_back(cache->Slot(s, t));
    }
  }
  const PackedTokens packed = PackSequences(prompts, model.device());
  const SampleResult first = model.Prefill(
      packed, at::tensor(slots, at::kLong).to(model.device()), cache->cache());
  for (size_t s = 0; s < sequences.size(); ++s) {
    run->logits[s].push_back(first.logits[static_cast<int64_t>(s)].clone());
    for (int64_t n = packed.offsets[s]; n < packed.offsets[s + 1]; ++n) {
      run->routes[s].push_back(first.routes[n].clone());
    }
  }
}

inline SamplerRun RunSampler(const Transformer& model,
                             const std::vector<std::vector<int32_t>>& sequences,
                             const std::vector<int64_t>& prompt_tokens,
                             const SamplerLayout& layout = {}) {
  int64_t longest = 0;
  for (const auto& s : sequences) {
    longest = std::max(longest, static_cast<int64_t>(s.size()));
  }
  SamplerCache cache(model, static_cast<int64_t>(sequences.size()), longest,
                     layout);
  SamplerRun run;
  run.logits.resize(sequences.size());
  run.routes.resize(sequences.size());
  RunPrompts(model, sequences, prompt_tokens, &cache, &run);
  for (int64_t step = 0;; ++step) {
    std::vector<int64_t> live;
    std::vector<int64_t> tokens;
    std::vector<int64_t> positions;
    for (size_t s = 0; s < sequences.size(); ++s) {
      const int64_t t = prompt_tokens[s] + step;
      if (t >= static_cast<int64_t>(sequences[s].size())) continue;
      live.push_back(static_cast<int64_t>(s));
      tokens.push_back(sequences[s][static_cast<size_t>(t)]);
      positions.push_back(t);
    }
    if (live.empty()) return run;
    const auto there = [&](const at::Tensor& x) {
      return x.to(model.device());
    };
    Append(model.Decode(there(at::tensor(tokens, at::kLong)),
                        there(at::tensor(positions, at::kLong)),
                        there(cache.tables().index_select(
                            0, at::tensor(live, at::kLong))),
                        cache.cache()),
           live, &run);
  }
}

}  // namespace cohort
