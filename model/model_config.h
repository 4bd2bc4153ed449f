// Hugging Face config.json <-> ModelConfig.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/router_settings.h"

namespace cohort {

enum class RopeType { kDefault, kYarn, kLlama3 };

// Rotary angles: plain, YaRN (arXiv:2309.00071) as transformers applies it, or
// stretched as in Llama 3.1.
struct RopeConfig {
  RopeType type = RopeType::kDefault;
  double theta = 10000;
  double factor = 1;  // Of the context's length.
  int64_t original_max_position_embeddings = 0;
  // YaRN.
  double beta_fast = 32;
  double beta_slow = 1;
  double mscale = 0;            // 0: absent.
  double mscale_all_dim = 0;    // 0: absent, the softmax scale is untouched.
  double attention_factor = 0;  // 0: follows from factor and the mscales.
  bool truncate = true;         // Pairs at the ends of the ramp are whole.
  // Llama 3.1.
  double low_freq_factor = 1;
  double high_freq_factor = 4;

  bool interleave = true;  // Pairs (2i, 2i+1); false: halves (i, i + P/2).

  // Factor on cosines and sines.
  double Amplitude() const;
  // Factor on the softmax scale.
  double SoftmaxFactor() const;
};

// Names follow config.json. Sizes are checked: positive, divisible where they
// must be, and products that fit memory arithmetic.
struct ModelConfig {
  std::string model_type;         // model/families/family.h lists them.
  int64_t vocab_size = 0;         // V
  int64_t hidden_size = 0;        // D
  int64_t intermediate_size = 0;  // Dense layers.
  int64_t num_hidden_layers = 0;
  int64_t num_attention_heads = 0;  // H
  int64_t num_key_value_heads = 0;  // G; H in MLA.
  // MLA.
  int64_t q_lora_rank = 0;   // 0: one q_proj.
  int64_t kv_lora_rank = 0;  // R; 0: grouped queries instead.
  int64_t qk_nope_head_dim = 0;
  int64_t qk_rope_head_dim = 0;  // P
  int64_t v_head_dim = 0;
  // Sparse attention over MLA.
  int64_t index_n_heads = 0;
  int64_t index_head_dim = 0;
  int64_t index_topk = 0;  // Tokens attended to; 0: all.
  // Grouped queries.
  int64_t head_dim = 0;  // P too: all of a head is rotated.
  bool qk_norm = false;  // Each head's queries and keys are normalised.
  bool qkv_bias = false;
  bool output_bias = false;  // On the attention's output projection.
  // Mixture of experts.
  int64_t moe_intermediate_size = 0;  // One expert.
  int64_t n_routed_experts = 0;       // E; 0: a dense model.
  int64_t n_shared_experts = 0;
  int64_t first_k_dense_replace = 0;
  int64_t moe_layer_freq = 1;
  RouterSettings router;

  double rms_norm_eps = 1e-6;
  bool tie_word_embeddings = false;
  int64_t max_position_embeddings = 0;
  int64_t num_nextn_predict_layers = 0;  // 1: a multi-token prediction head.
  double initializer_range = 0.02;
  RopeConfig rope;
  std::vector<int64_t> eos_token_ids;
  int64_t bos_token_id = -1;  // -1: none.
  int64_t pad_token_id = -1;
  std::string dtype = "float32";  // Of the stored weights.
  // Values of an FP8 weight that share a scale; 0: no quantization_config.
  int64_t fp8_block_rows = 0;
  int64_t fp8_block_columns = 0;

  bool IsLatent() const { return kv_lora_rank > 0; }
  bool IsSparse() const { return index_topk > 0; }
  bool IsMoe(int64_t layer) const {
    return n_routed_experts > 0 && layer >= first_k_dense_replace &&
           layer % moe_layer_freq == 0;
  }
  int64_t MoeLayers() const;
  // Columns of a head that are rotated: P.
  int64_t RopeWidth() const { return IsLatent() ? qk_rope_head_dim : head_dim; }
  // Numbers that the cache holds per token and layer (model/kv_cache.h).
  int64_t CacheWidth() const;
  // 1/sqrt of a query's width; in MLA times YaRN's mscale squared.
  double SoftmaxScale() const;
  int64_t ParameterCount() const;
};

// Reads the text of a config.json, written by transformers 4 or 5. An unknown
// model_type, an unsupported field, a wrong type, a zero or absurd size is
// kInvalidArgument naming `name` and the field.
absl::StatusOr<ModelConfig> ParseModelConfig(const std::string& json,
                                             const std::string& name);

// Identifies what two processes must agree on to exchange weights: every field
// that changes a tensor's shape or the arithmetic. Hexadecimal.
std::string ModelHash(const ModelConfig& config);

}  // namespace cohort
