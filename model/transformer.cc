#include "model/transformer.h"

#include <torch/types.h>

#include "model/decode_cpu.h"
#include "model/gqa.h"
#include "model/guard.h"
#include "model/linear.h"
#include "model/moe.h"
#include "model/ops.h"
#include "model/rms_norm.h"

namespace cohort {

PackedTokens PackSequences(const std::vector<std::vector<int32_t>>& sequences,
                           at::Device device) {
  PackedTokens packed;
  packed.offsets.push_back(0);
  for (const std::vector<int32_t>& sequence : sequences) {
    packed.offsets.push_back(packed.offsets.back() +
                             static_cast<int64_t>(sequence.size()));
  }
  packed.tokens = at::empty({packed.offsets.back()}, at::kLong);
  packed.positions = at::empty({packed.offsets.back()}, at::kLong);
  int64_t* token = packed.tokens.mutable_data_ptr<int64_t>();
  int64_t* position = packed.positions.mutable_data_ptr<int64_t>();
  for (const std::vector<int32_t>& sequence : sequences) {
    for (size_t t = 0; t < sequence.size(); ++t) {
      *token++ = sequence[t];
      *position++ = static_cast<int64_t>(t);
    }
  }
  packed.tokens = packed.tokens.to(device);
  packed.positions = packed.positions.to(device);
  return packed;
}

absl::StatusOr<std::unique_ptr<Transformer>> Transformer::Create(
    const ModelConfig& config, at::ScalarType dtype, at::Device device) {
  return GuardTorch([&] {
    return std::unique_ptr<Transformer>(new Transformer(config, dtype, device));
  });
}

Transformer::Transformer(const ModelConfig& config, at::ScalarType dtype,
                         at::Device device)
    : config_(config),
      weights_(AllocateWeights(config, dtype, device)),
      rope_(MakeRopeTables(config.rope, config.RopeWidth(),
                           config.max_position_embeddings, device)) {}

Transformer::~Transformer() = default;

void Transformer::Initialise(const std::string& init, double embedding_std,
                             uint64_t seed) {
  InitialiseWeights(config_, weights_, init, embedding_std, seed);
  WeightsChanged();
}

at::Device Transformer::device() const { return weights_.embedding.device(); }

std::vector<NamedTensor> Transformer::HfTensors() const {
  return HfViews(config_, weights_);
}

std::vector<NamedTensor> Transformer::Parameters() const {
  return LeafTensors(config_, weights_);
}

std::vector<NamedTensor> Transformer::MtpParameters() const {
  return MtpLeafTensors(weights_);
}

void Transformer::SetTrainable(bool trainable) {
  for (const NamedTensor& leaf : Parameters()) {
    leaf.tensor.requires_grad_(trainable);
  }
  for (const NamedTensor& leaf : MtpParameters()) {
    leaf.tensor.requires_grad_(trainable);
  }
}

std::vector<at::Tensor> Transformer::CorrectionBiases() const {
  std::vector<at::Tensor> biases;
  for (const LayerWeights& layer : weights_.layers) {
    if (layer.moe.bias.defined()) biases.push_back(layer.moe.bias);
  }
  return biases;
}

at::Tensor Transformer::StackRoutes(const std::vector<at::Tensor>& routes,
                                    int64_t rows) const {
  if (routes.empty()) {
    return at::empty({rows, 0, config_.router.experts_per_token}, at::kInt);
  }
  return at::stack(routes, 1).to(at::kCPU, at::kInt);
}

void Transformer::WeightsChanged() {
  decoder_.reset();
  absorbed_.clear();
}

RowFacts Transformer::FactsOf(const at::Tensor& positions) const {
  return {.cos = rope_.cos.index_select(0, positions),
          .sin = rope_.sin.index_select(0, positions)};
}

at::Tensor Transformer::Logits(const at::Tensor& hidden) const {
  return Linear(hidden, weights_.head).to(at::kFloat);
}

at::Tensor Transformer::FeedForward(const LayerWeights& layer,
                                    const at::Tensor& x,
                                    const at::Tensor* forced,
                                    std::vector<at::Tensor>* routes) const {
  if (!layer.moe.gate.defined()) {
    return RunMlp(x, layer.mlp.gate_up, layer.mlp.down);
  }
  const MoeWeights& moe = layer.moe;
  const Routes chosen =
      RouteTokens(x, moe.gate, moe.bias, config_.router, forced);
  routes->push_back(chosen.experts);
  const at::Tensor routed =
      RunExperts(x, chosen.experts, chosen.weights, moe.gate_up, moe.down);
  if (!moe.shared.down.defined()) return routed;
  return routed + RunMlp(x, moe.shared.gate_up, moe.shared.down);
}

at::Tensor Transformer::Attend(const LayerWeights& layer, const at::Tensor& x,
                               const RowFacts& rows,
                               const std::vector<int64_t>& offsets,
                               AttentionExtras* extras) const {
  return config_.IsLatent()
             ? MlaForward(config_, layer, x, rows, offsets, extras)
             : GroupedForward(config_, layer.grouped, x, rows, offsets, extras);
}

at::Tensor Transformer::RunLayer(const LayerWeights& layer, const at::Tensor& h,
                                 const LayerRun& run) const {
  const double eps = config_.rms_norm_eps;
  const at::Tensor attended =
      h + Attend(layer, RmsNorm(h, layer.input_norm, eps), run.rows,
                 run.offsets, run.extras);
  return attended + FeedForward(layer, RmsNorm(attended, layer.post_norm, eps),
                                run.forced, run.routes);
}

ForwardResult Transformer::RunLayers(
    const PackedTokens& batch, const std::vector<at::Tensor>* forced_routes,
    const CacheTarget* target) const {
  TORCH_CHECK(
      forced_routes == nullptr ||
          static_cast<int64_t>(forced_routes->size()) == config_.MoeLayers(),
      "forced routes of ", forced_routes->size(), " layers, the model has ",
      config_.MoeLayers());
  const RowFacts rows = FactsOf(batch.positions);
  ForwardResult result;
  // The padding token's row takes no gradient, as in transformers.
  at::Tensor h =
      at::embedding(weights_.embedding, batch.tokens, config_.pad_token_id);
  for (size_t i = 0; i < weights_.layers.size(); ++i) {
    const LayerWeights& layer = weights_.layers[i];
    AttentionExtras extras = {
        .want_cached = target != nullptr, .cached = {}, .selected = {}};
    const at::Tensor* const forced =
        forced_routes == nullptr || !layer.moe.gate.defined()
            ? nullptr
            : &(*forced_routes)[result.routes.size()];
    h = RunLayer(layer, h,
                 {.rows = rows,
                  .offsets = batch.offsets,
                  .forced = forced,
                  .routes = &result.routes,
                  .extras = &extras});
    if (extras.selected.defined()) result.selected.push_back(extras.selected);
    if (target != nullptr) {
      const at::Tensor& cache = target->cache->layer(static_cast<int64_t>(i));
      cache.view({-1, cache.size(2)})
          .index_copy_(0, target->slots, extras.cached.to(cache.scalar_type()));
    }
  }
  result.hidden = RmsNorm(h, weights_.norm, config_.rms_norm_eps);
  return result;
}

ForwardResult Transformer::Forward(
    const PackedTokens& batch,
    const std::vector<at::Tensor>* forced_routes) const {
  return RunLayers(batch, forced_routes, nullptr);
}

SampleResult Transformer::Prefill(const PackedTokens& batch,
                                  const at::Tensor& slots,
                                  KvCache* cache) const {
  const c10::InferenceMode inference;
  TORCH_CHECK(slots.dim() == 1 && slots.size(0) == batch.tokens.size(0),
              "Prefill: ", slots.sizes(), " slots for ", batch.tokens.sizes(),
              " tokens");
  const CacheTarget target{.slots = slots, .cache = cache};
  const ForwardResult all = RunLayers(batch, nullptr, &target);
  std::vector<int64_t> last;
  for (size_t s = 1; s < batch.offsets.size(); ++s) {
    TORCH_CHECK(batch.offsets[s] > batch.offsets[s - 1], "Prefill: sequence ",
                s - 1, " is empty");
    last.push_back(batch.offsets[s] - 1);
  }
  const at::Tensor rows = at::tensor(last, at::kLong).to(device());
  if (cache->ahead().defined()) FillAhead(batch, all.hidden, target);
  const at::Tensor hidden = all.hidden.index_select(0, rows);
  return {.logits = Logits(hidden),
          .routes = StackRoutes(all.routes, batch.tokens.size(0)),
          .hidden = hidden};
}

}  // namespace cohort
