#include "model/transformer.h"

#include <ATen/Parallel.h>
#include <torch/types.h>

#include "model/decode_cpu.h"
#include "model/gqa.h"
#include "model/guard.h"
#include "model/linear.h"
#include "model/moe.h"
#include "model/ops.h"
#include "model/rms_norm.h"

namespace cohort {
namespace {

// The chosen experts of all layers as the sampler records them.
at::Tensor StackRoutes(const std::vector<at::Tensor>& routes, int64_t rows,
                       int64_t per_token) {
  if (routes.empty()) return at::empty({rows, 0, per_token}, at::kInt);
  return at::stack(routes, 1).to(at::kCPU, at::kInt);
}

// The kernels read memory by these numbers.
void CheckInRange(const DecodeBatch& batch, const ModelConfig& config,
                  int64_t blocks) {
  for (int64_t b = 0; b < batch.size; ++b) {
    const int64_t position = batch.positions[b];
    TORCH_CHECK_INDEX(
        batch.tokens[b] >= 0 && batch.tokens[b] < config.vocab_size,
        "Decode: row ", b, " has token ", batch.tokens[b], " of ",
        config.vocab_size);
    TORCH_CHECK_INDEX(position >= 0 &&
                          position < config.max_position_embeddings &&
                          position < batch.table_row * batch.block_tokens,
                      "Decode: row ", b, " is at position ", position, " of ",
                      config.max_position_embeddings, ", its table covers ",
                      batch.table_row * batch.block_tokens);
    for (int64_t j = 0; j <= position / batch.block_tokens; ++j) {
      const int32_t block = batch.tables[b * batch.table_row + j];
      TORCH_CHECK_INDEX(block >= 0 && block < blocks, "Decode: row ", b,
                        " lies in block ", block, " of ", blocks);
    }
  }
}

}  // namespace

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
  return {.logits = Logits(all.hidden.index_select(0, rows)),
          .routes = StackRoutes(all.routes, batch.tokens.size(0),
                                config_.router.experts_per_token)};
}

SampleResult Transformer::Decode(const at::Tensor& tokens,
                                 const at::Tensor& positions,
                                 const at::Tensor& block_tables,
                                 KvCache* cache) const {
  const c10::InferenceMode inference;
  TORCH_CHECK(tokens.dim() == 1 && tokens.sizes() == positions.sizes() &&
                  block_tables.dim() == 2 &&
                  block_tables.size(0) == tokens.size(0),
              "Decode: tokens ", tokens.sizes(), ", positions ",
              positions.sizes(), ", block_tables ", block_tables.sizes());
  return RunsOnKernels(weights_.embedding) && RunsOnKernels(cache->layer(0))
             ? DecodeOnKernels(tokens, positions, block_tables, cache)
             : DecodeOnLibTorch(tokens, positions, block_tables, cache);
}

SampleResult Transformer::DecodeOnKernels(const at::Tensor& tokens,
                                          const at::Tensor& positions,
                                          const at::Tensor& block_tables,
                                          KvCache* cache) const {
  const at::Tensor token = tokens.contiguous();
  const at::Tensor position = positions.contiguous();
  const at::Tensor table = block_tables.contiguous();
  DecodeBatch batch;
  batch.size = token.size(0);
  batch.tokens = token.const_data_ptr<int64_t>();
  batch.positions = position.const_data_ptr<int64_t>();
  batch.tables = table.const_data_ptr<int32_t>();
  batch.table_row = table.size(1);
  batch.block_tokens = cache->block_tokens();
  CheckInRange(batch, config_, cache->blocks());
  for (int64_t i = 0; i < config_.num_hidden_layers; ++i) {
    batch.caches.push_back(cache->layer(i).data_ptr<float>());
  }
  SampleResult result;
  result.logits = at::empty({batch.size, config_.vocab_size}, at::kFloat);
  result.routes = at::empty(
      {batch.size, config_.MoeLayers(), config_.router.experts_per_token},
      at::kInt);
  batch.logits = result.logits.mutable_data_ptr<float>();
  batch.routes = result.routes.mutable_data_ptr<int32_t>();
  if (decoder_ == nullptr) {
    decoder_ = std::make_unique<CpuDecoder>(config_, weights_, rope_);
  }
  decoder_->Step(batch, at::get_num_threads());
  return result;
}

SampleResult Transformer::DecodeOnLibTorch(const at::Tensor& tokens,
                                           const at::Tensor& positions,
                                           const at::Tensor& block_tables,
                                           KvCache* cache) const {
  if (config_.IsLatent() && absorbed_.empty()) {
    for (const LayerWeights& layer : weights_.layers) {
      absorbed_.push_back(Absorb(config_, layer.attention.kv_b));
    }
  }
  const int64_t block_tokens = cache->block_tokens();
  const at::Tensor block =
      block_tables.gather(1, positions.div(block_tokens, "floor").unsqueeze(1))
          .squeeze(1);
  const DecodePlaces places{
      .rows = FactsOf(positions),
      .slots = block * block_tokens + positions.remainder(block_tokens),
      .block_tables = block_tables,
      .context = (positions + 1).to(at::kInt)};
  std::vector<at::Tensor> routes;
  at::Tensor h = weights_.embedding.index_select(0, tokens);
  for (size_t i = 0; i < weights_.layers.size(); ++i) {
    const LayerWeights& layer = weights_.layers[i];
    const at::Tensor x = RmsNorm(h, layer.input_norm, config_.rms_norm_eps);
    const at::Tensor& cached = cache->layer(static_cast<int64_t>(i));
    h = h + (config_.IsLatent()
                 ? MlaDecode(config_, layer, absorbed_[i], x, places, cached)
                 : GroupedDecode(config_, layer.grouped, x, places, cached));
    h = h + FeedForward(layer,
                        RmsNorm(h, layer.post_norm, config_.rms_norm_eps),
                        nullptr, &routes);
  }
  return {.logits = Logits(RmsNorm(h, weights_.norm, config_.rms_norm_eps)),
          .routes = StackRoutes(routes, tokens.size(0),
                                config_.router.experts_per_token)};
}

}  // namespace cohort
