#include "model/weights.h"

#include <torch/types.h>

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace cohort {
namespace {

// Where a layer's weights get their memory.
struct Allocator {
  at::ScalarType dtype;
  at::Device device;

  at::Tensor operator()(at::IntArrayRef shape) const {
    return at::empty(shape, at::TensorOptions().dtype(dtype).device(device));
  }
  at::Tensor Float(at::IntArrayRef shape) const {
    return at::empty(shape,
                     at::TensorOptions().dtype(at::kFloat).device(device));
  }
};

int64_t HeadWidth(const ModelConfig& c) {
  return c.qk_nope_head_dim + c.qk_rope_head_dim;
}

// Rows of `inputs` that belong to the queries.
int64_t QueryRows(const ModelConfig& c) {
  return c.q_lora_rank > 0 ? c.q_lora_rank
                           : c.num_attention_heads * HeadWidth(c);
}

AttentionWeights AllocateAttention(const ModelConfig& c,
                                   const Allocator& memory) {
  const int64_t d = c.hidden_size;
  const int64_t heads = c.num_attention_heads;
  AttentionWeights w;
  w.inputs = memory({QueryRows(c) + c.kv_lora_rank + c.qk_rope_head_dim, d});
  if (c.q_lora_rank > 0) {
    w.q_norm = memory({c.q_lora_rank});
    w.q_b = memory({heads * HeadWidth(c), c.q_lora_rank});
  }
  w.kv_norm = memory({c.kv_lora_rank});
  w.kv_b =
      memory({heads * (c.qk_nope_head_dim + c.v_head_dim), c.kv_lora_rank});
  w.output = memory({d, heads * c.v_head_dim});
  return w;
}

IndexerWeights AllocateIndexer(const ModelConfig& c, const Allocator& memory) {
  const int64_t width = c.index_head_dim;
  return {.queries = memory({c.index_n_heads * width, c.q_lora_rank}),
          .key = memory({width, c.hidden_size}),
          .key_norm = memory({width}),
          .key_bias = memory({width}),
          .head_gates = memory.Float({c.index_n_heads, c.hidden_size})};
}

GroupedWeights AllocateGrouped(const ModelConfig& c, const Allocator& memory) {
  const int64_t d = c.hidden_size;
  const int64_t rows =
      (c.num_attention_heads + 2 * c.num_key_value_heads) * c.head_dim;
  GroupedWeights w;
  w.inputs = memory({rows, d});
  if (c.qkv_bias) w.inputs_bias = memory({rows});
  if (c.qk_norm) {
    w.q_norm = memory({c.head_dim});
    w.k_norm = memory({c.head_dim});
  }
  w.output = memory({d, c.num_attention_heads * c.head_dim});
  if (c.output_bias) w.output_bias = memory({d});
  return w;
}

MlpWeights AllocateMlp(int64_t d, int64_t width, const Allocator& memory) {
  return {.gate_up = memory({2 * width, d}), .down = memory({d, width})};
}

MoeWeights AllocateMoe(const ModelConfig& c, const Allocator& memory) {
  const int64_t d = c.hidden_size;
  const int64_t experts = c.n_routed_experts;
  const int64_t width = c.moe_intermediate_size;
  MoeWeights w;
  w.gate = memory.Float({experts, d});
  if (c.router.correction_bias) w.bias = memory.Float({experts});
  w.gate_up = memory({experts, 2 * width, d});
  w.down = memory({experts, d, width});
  if (c.n_shared_experts > 0) {
    w.shared = AllocateMlp(d, c.n_shared_experts * width, memory);
  }
  return w;
}

// `index`: of the layer, which decides whether it has experts.
LayerWeights AllocateLayer(const ModelConfig& c, int64_t index,
                           const Allocator& memory) {
  LayerWeights layer;
  layer.input_norm = memory({c.hidden_size});
  if (c.IsLatent()) {
    layer.attention = AllocateAttention(c, memory);
  } else {
    layer.grouped = AllocateGrouped(c, memory);
  }
  if (c.IsSparse()) layer.indexer = AllocateIndexer(c, memory);
  layer.post_norm = memory({c.hidden_size});
  if (c.IsMoe(index)) {
    layer.moe = AllocateMoe(c, memory);
  } else {
    layer.mlp = AllocateMlp(c.hidden_size, c.intermediate_size, memory);
  }
  return layer;
}

MtpWeights AllocateMtp(const ModelConfig& c, const Allocator& memory) {
  const int64_t d = c.hidden_size;
  return {.embedding_norm = memory({d}),
          .hidden_norm = memory({d}),
          .project = memory({d, 2 * d}),
          .layer = AllocateLayer(c, c.num_hidden_layers, memory),
          .norm = memory({d})};
}

// Collects views under a prefix.
class Views {
 public:
  void Add(const std::string& name, const at::Tensor& tensor) {
    views_.push_back({name, tensor.detach()});
  }

  void AddMlp(const std::string& prefix, const at::Tensor& gate_up,
              const at::Tensor& down) {
    const at::Tensor both = gate_up.detach();
    const int64_t width = both.size(0) / 2;
    Add(prefix + "gate_proj.weight", both.narrow(0, 0, width));
    Add(prefix + "up_proj.weight", both.narrow(0, width, width));
    Add(prefix + "down_proj.weight", down);
  }

  void AddAttention(const ModelConfig& c, const std::string& prefix,
                    const AttentionWeights& w) {
    const int64_t rows = QueryRows(c);
    const at::Tensor inputs = w.inputs.detach();
    Add(prefix + (c.q_lora_rank > 0 ? "q_a_proj.weight" : "q_proj.weight"),
        inputs.narrow(0, 0, rows));
    Add(prefix + "kv_a_proj_with_mqa.weight",
        inputs.narrow(0, rows, inputs.size(0) - rows));
    if (c.q_lora_rank > 0) {
      Add(prefix + "q_a_layernorm.weight", w.q_norm);
      Add(prefix + "q_b_proj.weight", w.q_b);
    }
    Add(prefix + "kv_a_layernorm.weight", w.kv_norm);
    Add(prefix + "kv_b_proj.weight", w.kv_b);
    Add(prefix + "o_proj.weight", w.output);
  }

  void AddIndexer(const std::string& prefix, const IndexerWeights& w) {
    Add(prefix + "wq_b.weight", w.queries);
    Add(prefix + "wk.weight", w.key);
    Add(prefix + "k_norm.weight", w.key_norm);
    Add(prefix + "k_norm.bias", w.key_bias);
    Add(prefix + "weights_proj.weight", w.head_gates);
  }

  void AddGrouped(const ModelConfig& c, const std::string& prefix,
                  const GroupedWeights& w) {
    const int64_t q_rows = c.num_attention_heads * c.head_dim;
    const int64_t kv_rows = c.num_key_value_heads * c.head_dim;
    const auto add_three = [&](const char* kind, const at::Tensor& stacked) {
      if (!stacked.defined()) return;
      const at::Tensor all = stacked.detach();
      Add(prefix + "q_proj." + kind, all.narrow(0, 0, q_rows));
      Add(prefix + "k_proj." + kind, all.narrow(0, q_rows, kv_rows));
      Add(prefix + "v_proj." + kind, all.narrow(0, q_rows + kv_rows, kv_rows));
    };
    add_three("weight", w.inputs);
    add_three("bias", w.inputs_bias);
    if (w.q_norm.defined()) {
      Add(prefix + "q_norm.weight", w.q_norm);
      Add(prefix + "k_norm.weight", w.k_norm);
    }
    Add(prefix + "o_proj.weight", w.output);
    if (w.output_bias.defined()) Add(prefix + "o_proj.bias", w.output_bias);
  }

  void AddMoe(const std::string& prefix, const MoeWeights& w) {
    Add(prefix + "gate.weight", w.gate);
    if (w.bias.defined()) {
      Add(prefix + "gate.e_score_correction_bias", w.bias);
    }
    const at::Tensor gate_up = w.gate_up.detach();
    const at::Tensor down = w.down.detach();
    for (int64_t e = 0; e < gate_up.size(0); ++e) {
      AddMlp(absl::StrCat(prefix, "experts.", e, "."), gate_up.select(0, e),
             down.select(0, e));
    }
    if (w.shared.down.defined()) {
      AddMlp(prefix + "shared_experts.", w.shared.gate_up, w.shared.down);
    }
  }

  void AddLayer(const ModelConfig& c, const std::string& prefix,
                const LayerWeights& layer) {
    Add(prefix + "input_layernorm.weight", layer.input_norm);
    Add(prefix + "post_attention_layernorm.weight", layer.post_norm);
    if (c.IsLatent()) {
      AddAttention(c, prefix + "self_attn.", layer.attention);
    } else {
      AddGrouped(c, prefix + "self_attn.", layer.grouped);
    }
    if (c.IsSparse()) {
      AddIndexer(prefix + "self_attn.indexer.", layer.indexer);
    }
    if (layer.moe.gate.defined()) {
      AddMoe(prefix + "mlp.", layer.moe);
    } else {
      AddMlp(prefix + "mlp.", layer.mlp.gate_up, layer.mlp.down);
    }
  }

  void AddMtp(const ModelConfig& c, const std::string& prefix,
              const MtpWeights& w) {
    Add(prefix + "enorm.weight", w.embedding_norm);
    Add(prefix + "hnorm.weight", w.hidden_norm);
    Add(prefix + "eh_proj.weight", w.project);
    AddLayer(c, prefix, w.layer);
    Add(prefix + "shared_head.norm.weight", w.norm);
  }

  std::vector<NamedTensor> TakeSorted() {
    std::sort(views_.begin(), views_.end(),
              [](const NamedTensor& a, const NamedTensor& b) {
                return a.name < b.name;
              });
    return std::move(views_);
  }

 private:
  std::vector<NamedTensor> views_;
};

std::string LayerPrefix(size_t layer) {
  return absl::StrCat("model.layers.", layer, ".");
}

// Tensors that are defined, under names of their own.
class Leaves {
 public:
  void Add(const std::string& name, const at::Tensor& tensor) {
    if (tensor.defined()) leaves_.push_back({name, tensor});
  }

  void AddLayer(const std::string& prefix, const LayerWeights& layer) {
    Add(prefix + "input_norm", layer.input_norm);
    Add(prefix + "attention.inputs", layer.attention.inputs);
    Add(prefix + "attention.q_norm", layer.attention.q_norm);
    Add(prefix + "attention.q_b", layer.attention.q_b);
    Add(prefix + "attention.kv_norm", layer.attention.kv_norm);
    Add(prefix + "attention.kv_b", layer.attention.kv_b);
    Add(prefix + "attention.output", layer.attention.output);
    Add(prefix + "grouped.inputs", layer.grouped.inputs);
    Add(prefix + "grouped.inputs_bias", layer.grouped.inputs_bias);
    Add(prefix + "grouped.q_norm", layer.grouped.q_norm);
    Add(prefix + "grouped.k_norm", layer.grouped.k_norm);
    Add(prefix + "grouped.output", layer.grouped.output);
    Add(prefix + "grouped.output_bias", layer.grouped.output_bias);
    Add(prefix + "post_norm", layer.post_norm);
    Add(prefix + "mlp.gate_up", layer.mlp.gate_up);
    Add(prefix + "mlp.down", layer.mlp.down);
    Add(prefix + "moe.gate", layer.moe.gate);
    Add(prefix + "moe.experts.gate_up", layer.moe.gate_up);
    Add(prefix + "moe.experts.down", layer.moe.down);
    Add(prefix + "moe.shared.gate_up", layer.moe.shared.gate_up);
    Add(prefix + "moe.shared.down", layer.moe.shared.down);
  }

  std::vector<NamedTensor> Take() { return std::move(leaves_); }

 private:
  std::vector<NamedTensor> leaves_;
};

}  // namespace

ModelWeights AllocateWeights(const ModelConfig& config, at::ScalarType dtype,
                             at::Device device) {
  const Allocator memory{dtype, device};
  const int64_t d = config.hidden_size;
  ModelWeights weights;
  weights.embedding = memory({config.vocab_size, d});
  for (int64_t i = 0; i < config.num_hidden_layers; ++i) {
    weights.layers.push_back(AllocateLayer(config, i, memory));
  }
  weights.norm = memory({d});
  weights.head = config.tie_word_embeddings ? weights.embedding
                                            : memory({config.vocab_size, d});
  if (config.num_nextn_predict_layers > 0) {
    weights.mtp = AllocateMtp(config, memory);
  }
  return weights;
}

std::vector<NamedTensor> HfViews(const ModelConfig& config,
                                 const ModelWeights& weights) {
  Views views;
  views.Add("model.embed_tokens.weight", weights.embedding);
  views.Add("model.norm.weight", weights.norm);
  if (!config.tie_word_embeddings) views.Add("lm_head.weight", weights.head);
  for (size_t i = 0; i < weights.layers.size(); ++i) {
    views.AddLayer(config, LayerPrefix(i), weights.layers[i]);
  }
  if (weights.mtp.project.defined()) {
    views.AddMtp(config, LayerPrefix(weights.layers.size()), weights.mtp);
  }
  return views.TakeSorted();
}

std::vector<NamedTensor> LeafTensors(const ModelConfig& config,
                                     const ModelWeights& weights) {
  Leaves leaves;
  leaves.Add("embed_tokens", weights.embedding);
  for (size_t i = 0; i < weights.layers.size(); ++i) {
    leaves.AddLayer(absl::StrCat("layers.", i, "."), weights.layers[i]);
  }
  leaves.Add("norm", weights.norm);
  if (!config.tie_word_embeddings) leaves.Add("head", weights.head);
  return leaves.Take();
}

std::vector<NamedTensor> MtpLeafTensors(const ModelWeights& weights) {
  const MtpWeights& mtp = weights.mtp;
  Leaves leaves;
  leaves.Add("mtp.embedding_norm", mtp.embedding_norm);
  leaves.Add("mtp.hidden_norm", mtp.hidden_norm);
  leaves.Add("mtp.project", mtp.project);
  leaves.AddLayer("mtp.layer.", mtp.layer);
  leaves.Add("mtp.norm", mtp.norm);
  return leaves.Take();
}

}  // namespace cohort
