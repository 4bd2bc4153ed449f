// The weights of one model, in the layout that the arithmetic wants: matrices
// that read the same input are stacked, experts too. Hugging Face's names are
// views into it.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "model/model_config.h"

namespace cohort {

struct NamedTensor {
  std::string name;
  at::Tensor tensor;
};

// Dense or shared MLP of width I.
struct MlpWeights {
  at::Tensor gate_up;  // [2 I, D], the gate's rows first
  at::Tensor down;     // [D, I]
};

// Of MLA.
struct AttentionWeights {
  at::Tensor inputs;   // [Q + R + P, D]: q_a_proj (or q_proj), then kv_a_proj
  at::Tensor q_norm;   // [q_lora_rank]; undefined without one
  at::Tensor q_b;      // [H (nope + P), q_lora_rank]; undefined without one
  at::Tensor kv_norm;  // [R]
  at::Tensor kv_b;     // [H (nope + v), R]
  at::Tensor output;   // [D, H v]
};

// Of sparse attention's indexer: I heads of width W. Not trained: which tokens
// it selects has no gradient.
struct IndexerWeights {
  at::Tensor queries;     // [I W, q_lora_rank]
  at::Tensor key;         // [W, D]
  at::Tensor key_norm;    // [W], a layer norm's
  at::Tensor key_bias;    // [W]
  at::Tensor head_gates;  // [I, D] float32
};

// Of grouped queries: H heads, G kv heads, width P.
struct GroupedWeights {
  at::Tensor inputs;       // [(H + 2 G) P, D]: q_proj, k_proj, v_proj
  at::Tensor inputs_bias;  // [(H + 2 G) P]; undefined without biases
  at::Tensor q_norm;       // [P]; undefined without norms
  at::Tensor k_norm;       // [P]
  at::Tensor output;       // [D, H P]
  at::Tensor output_bias;  // [D]; undefined without one
};

struct MoeWeights {
  at::Tensor gate;     // [E, D] float32
  at::Tensor bias;     // [E] float32, the correction bias: not trained;
                       // undefined where the router has none
  at::Tensor gate_up;  // [E, 2 I, D]
  at::Tensor down;     // [E, D, I]
  MlpWeights shared;   // Undefined without shared experts.
};

struct LayerWeights {
  at::Tensor input_norm;       // [D]
  AttentionWeights attention;  // MLA;
  GroupedWeights grouped;      // or this.
  IndexerWeights indexer;      // Undefined where attention is not sparse.
  at::Tensor post_norm;        // [D]
  MlpWeights mlp;              // Dense layers;
  MoeWeights moe;              // the others.
};

// Of the multi-token prediction head (model/mtp.h): one more layer behind a
// projection. Its embedding and output head are the model's own.
struct MtpWeights {
  at::Tensor embedding_norm;  // [D], enorm; undefined without a head, as all
  at::Tensor hidden_norm;     // [D], hnorm
  at::Tensor project;  // [D, 2 D], eh_proj: the embedding's columns first
  LayerWeights layer;
  at::Tensor norm;  // [D], shared_head.norm
};

struct ModelWeights {
  at::Tensor embedding;  // [V, D]
  std::vector<LayerWeights> layers;
  at::Tensor norm;  // [D]
  at::Tensor head;  // [V, D]; the embedding itself where they are tied
  MtpWeights mtp;
};

// Memory without values.
ModelWeights AllocateWeights(const ModelConfig& config, at::ScalarType dtype,
                             at::Device device);

// Under Hugging Face's names, sorted by name. Detached views. Those of the
// prediction head are model.layers.<num_hidden_layers>.*, without its copies of
// the embedding and the output head.
std::vector<NamedTensor> HfViews(const ModelConfig& config,
                                 const ModelWeights& weights);

// The tensors themselves, each once, without those that are not trained and
// those of the prediction head.
std::vector<NamedTensor> LeafTensors(const ModelConfig& config,
                                     const ModelWeights& weights);

// Those of the prediction head; none where there is no head.
std::vector<NamedTensor> MtpLeafTensors(const ModelWeights& weights);

// New values, the same bits for the same seed whatever machine and layout.
//   "fan_in": embedding N(0, embedding_std^2); matrices N(0, 1 / fan_in), those
//     that write to the residual stream at half that deviation
//   "normal": N(0, initializer_range^2)
// Norms are 1 and biases 0. Throws c10::Error for another `init`.
void InitialiseWeights(const ModelConfig& config, const ModelWeights& weights,
                       const std::string& init, double embedding_std,
                       uint64_t seed);

}  // namespace cohort
