// Hugging Face config.json <-> ModelConfig.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/router_settings.h"

namespace cohort {

// YaRN (arXiv:2309.00071) as transformers applies it to DeepSeek-V3. factor 1:
// plain RoPE.
struct RopeConfig {
  double theta = 10000;
  double factor = 1;
  double beta_fast = 32;
  double beta_slow = 1;
  double mscale = 0;          // 0: absent.
  double mscale_all_dim = 0;  // 0: absent, the softmax scale is untouched.
  int64_t original_max_position_embeddings = 0;
  bool interleave = true;  // Pairs (2i, 2i+1); false: halves (i, i + P/2).

  // Factor on cosines and sines.
  double Amplitude() const;
  // Factor on the softmax scale.
  double SoftmaxFactor() const;
};

// Names follow config.json. Sizes are checked: positive, divisible where they
// must be, and products that fit memory arithmetic.
struct ModelConfig {
  std::string model_type;             // "deepseek_v3".
  int64_t vocab_size = 0;             // V
  int64_t hidden_size = 0;            // D
  int64_t intermediate_size = 0;      // Dense layers.
  int64_t moe_intermediate_size = 0;  // One expert.
  int64_t num_hidden_layers = 0;
  int64_t num_attention_heads = 0;  // H
  int64_t q_lora_rank = 0;          // 0: one q_proj.
  int64_t kv_lora_rank = 0;         // R
  int64_t qk_nope_head_dim = 0;
  int64_t qk_rope_head_dim = 0;  // P
  int64_t v_head_dim = 0;
  int64_t n_routed_experts = 0;  // E; 0: a dense model.
  int64_t n_shared_experts = 0;
  int64_t first_k_dense_replace = 0;
  int64_t moe_layer_freq = 1;
  RouterSettings router;
  double rms_norm_eps = 1e-6;
  bool tie_word_embeddings = false;
  int64_t max_position_embeddings = 0;
  int64_t num_nextn_predict_layers = 0;  // MTP layers in the folder.
  double initializer_range = 0.02;
  RopeConfig rope;
  std::vector<int64_t> eos_token_ids;
  int64_t bos_token_id = -1;  // -1: none.
  int64_t pad_token_id = -1;
  std::string dtype = "float32";  // Of the stored weights.
  // Values of an FP8 weight that share a scale; 0: no quantization_config.
  int64_t fp8_block_rows = 0;
  int64_t fp8_block_columns = 0;

  bool IsMoe(int64_t layer) const {
    return n_routed_experts > 0 && layer >= first_k_dense_replace &&
           layer % moe_layer_freq == 0;
  }
  int64_t MoeLayers() const;
  // 1/sqrt(nope + rope), times YaRN's mscale squared.
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
