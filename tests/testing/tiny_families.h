// A small model of every family, for tests that hold for all of them.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "nlohmann/json.hpp"
#include "tests/testing/tiny_model.h"

namespace cohort {

// Names of the models below: one per family and per switch that changes what
// runs.
inline constexpr const char* kTinyFamilies[] = {
    "deepseek_v2", "deepseek_v2_lite",
    "deepseek_v3", "deepseek_v32",
    "llama",       "qwen2",
    "qwen3",       "qwen3_yarn"};

inline nlohmann::json TinyGroupedJson() {
  return nlohmann::json::parse(R"({
    "vocab_size": 37, "hidden_size": 48, "intermediate_size": 80,
    "num_hidden_layers": 3, "num_attention_heads": 6, "num_key_value_heads": 2,
    "hidden_act": "silu", "rms_norm_eps": 1e-06, "rope_theta": 10000.0,
    "max_position_embeddings": 128, "tie_word_embeddings": true,
    "initializer_range": 0.02, "bos_token_id": 0, "eos_token_id": 1,
    "pad_token_id": 2, "torch_dtype": "float32"})");
}

inline std::string TinyFamilyJson(const std::string& name) {
  using nlohmann::json;
  json config = name.starts_with("deepseek") ? json::parse(TinyConfigJson())
                                             : TinyGroupedJson();
  if (name.starts_with("deepseek_v2")) {
    config.update(json::parse(R"({
      "architectures": ["DeepseekV2ForCausalLM"], "model_type": "deepseek_v2",
      "scoring_func": "softmax", "topk_method": "group_limited_greedy",
      "norm_topk_prob": false, "routed_scaling_factor": 4.0})"));
    config["rope_scaling"]["mscale"] = 0.707;
    config["rope_scaling"]["mscale_all_dim"] = 0.707;
  }
  if (name == "deepseek_v2_lite") {
    config["topk_method"] = "greedy";
    config["q_lora_rank"] = nullptr;
  }
  if (name == "deepseek_v32") {
    config.update(json::parse(R"({
      "architectures": ["DeepseekV32ForCausalLM"],
      "model_type": "deepseek_v32", "index_n_heads": 5, "index_head_dim": 11,
      "index_topk": 12})"));
  }
  if (name == "llama") {
    config.update(json::parse(R"({
      "architectures": ["LlamaForCausalLM"], "model_type": "llama",
      "attention_bias": true, "tie_word_embeddings": false,
      "rope_scaling": {"rope_type": "llama3", "factor": 8.0,
        "high_freq_factor": 4.0, "low_freq_factor": 1.0,
        "original_max_position_embeddings": 32}})"));
  }
  if (name == "qwen2") {
    config.update(json::parse(R"({
      "architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2",
      "use_sliding_window": false, "sliding_window": 32})"));
  }
  if (name.starts_with("qwen3")) {
    config.update(json::parse(R"({
      "architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3",
      "head_dim": 14, "attention_bias": false})"));
  }
  if (name == "qwen3_yarn") {
    config["num_key_value_heads"] = 6;
    config["rope_scaling"] = json::parse(R"({"rope_type": "yarn",
      "factor": 4.0, "original_max_position_embeddings": 32})");
  }
  return config.dump();
}

inline ModelConfig TinyFamilyConfig(const std::string& name) {
  absl::StatusOr<ModelConfig> config =
      ParseModelConfig(TinyFamilyJson(name), name);
  if (!config.ok()) {
    std::fprintf(stderr, "%s\n", config.status().ToString().c_str());
  }
  COHORT_CHECK(config.ok());
  return *config;
}

// Every tensor random, norms and biases too, so that forgetting one shows.
inline std::unique_ptr<Transformer> MakeTinyFamily(const std::string& name,
                                                   uint64_t seed = 1) {
  auto model = MakeModel(TinyFamilyConfig(name), seed);
  at::manual_seed(seed);
  for (const NamedTensor& view : model->HfTensors()) {
    if (view.tensor.dim() > 1 || view.name.ends_with("correction_bias")) {
      continue;
    }
    view.tensor.add_(at::randn(view.tensor.sizes()), 0.1);
  }
  model->WeightsChanged();
  return model;
}

}  // namespace cohort
