// The sampler's part of the model: new tokens over the paged cache, in float32
// on the CPU by the kernels of model/decode_cpu.h, else by LibTorch's own
// operations.
#include <ATen/Parallel.h>
#include <torch/types.h>

#include "model/decode_cpu.h"
#include "model/gqa.h"
#include "model/ops.h"
#include "model/rms_norm.h"
#include "model/transformer.h"

namespace cohort {
namespace {

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

// Where new tokens go, tensors that must outlive the batch.
struct Places {
  const at::Tensor& tokens;     // [B] int64, contiguous as are the others
  const at::Tensor& positions;  // [B] int64
  const at::Tensor& tables;     // [B, max_blocks] int32
};

DecodeBatch MakeBatch(const Places& places, int64_t block_tokens) {
  DecodeBatch batch;
  batch.size = places.tokens.size(0);
  batch.tokens = places.tokens.const_data_ptr<int64_t>();
  batch.positions = places.positions.const_data_ptr<int64_t>();
  batch.tables = places.tables.const_data_ptr<int32_t>();
  batch.table_row = places.tables.size(1);
  batch.block_tokens = block_tokens;
  return batch;
}

}  // namespace

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

CpuDecoder* Transformer::Decoder() const {
  if (decoder_ == nullptr) {
    decoder_ = std::make_unique<CpuDecoder>(config_, weights_, rope_);
  }
  return decoder_.get();
}

SampleResult Transformer::DecodeOnKernels(const at::Tensor& tokens,
                                          const at::Tensor& positions,
                                          const at::Tensor& block_tables,
                                          KvCache* cache) const {
  const at::Tensor token = tokens.contiguous();
  const at::Tensor position = positions.contiguous();
  const at::Tensor table = block_tables.contiguous();
  DecodeBatch batch =
      MakeBatch({.tokens = token, .positions = position, .tables = table},
                cache->block_tokens());
  CheckInRange(batch, config_, cache->blocks());
  for (int64_t i = 0; i < config_.num_hidden_layers; ++i) {
    batch.caches.push_back(cache->layer(i).data_ptr<float>());
  }
  const int64_t k = config_.router.experts_per_token;
  SampleResult result;
  result.logits = at::empty({batch.size, config_.vocab_size}, at::kFloat);
  result.hidden = at::empty({batch.size, config_.hidden_size}, at::kFloat);
  result.routes = at::empty({batch.size, config_.MoeLayers(), k}, at::kInt);
  batch.logits = result.logits.mutable_data_ptr<float>();
  batch.hidden = result.hidden.mutable_data_ptr<float>();
  batch.routes = result.routes.mutable_data_ptr<int32_t>();
  batch.route_row = config_.MoeLayers() * k;
  Decoder()->Step(batch, at::get_num_threads());
  return result;
}

const std::vector<AbsorbedWeights>& Transformer::Absorbed() const {
  if (!absorbed_.empty()) return absorbed_;
  for (const LayerWeights& layer : weights_.layers) {
    absorbed_.push_back(Absorb(config_, layer.attention.kv_b));
  }
  if (weights_.mtp.project.defined()) {
    absorbed_.push_back(Absorb(config_, weights_.mtp.layer.attention.kv_b));
  }
  return absorbed_;
}

at::Tensor Transformer::DecodeLayer(const LayerWeights& layer,
                                    const AbsorbedWeights* absorbed,
                                    const at::Tensor& h,
                                    const DecodePlaces& places,
                                    const at::Tensor& cache,
                                    std::vector<at::Tensor>* routes) const {
  const double eps = config_.rms_norm_eps;
  const at::Tensor x = RmsNorm(h, layer.input_norm, eps);
  const at::Tensor attended =
      h + (config_.IsLatent()
               ? MlaDecode(config_, layer, *absorbed, x, places, cache)
               : GroupedDecode(config_, layer.grouped, x, places, cache));
  return attended + FeedForward(layer, RmsNorm(attended, layer.post_norm, eps),
                                nullptr, routes);
}

SampleResult Transformer::DecodeOnLibTorch(const at::Tensor& tokens,
                                           const at::Tensor& positions,
                                           const at::Tensor& block_tables,
                                           KvCache* cache) const {
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
    h = DecodeLayer(weights_.layers[i],
                    config_.IsLatent() ? &Absorbed()[i] : nullptr, h, places,
                    cache->layer(static_cast<int64_t>(i)), &routes);
  }
  const at::Tensor hidden = RmsNorm(h, weights_.norm, config_.rms_norm_eps);
  return {.logits = Logits(hidden),
          .routes = StackRoutes(routes, tokens.size(0)),
          .hidden = hidden};
}

at::Tensor Transformer::DecodeAhead(const AheadRows& rows,
                                    KvCache* cache) const {
  const c10::InferenceMode inference;
  TORCH_CHECK(weights_.mtp.project.defined() && cache->ahead().defined(),
              "DecodeAhead: the model or the cache has no prediction head");
  TORCH_CHECK(
      rows.tokens.dim() == 1 && rows.tokens.sizes() == rows.positions.sizes() &&
          rows.slots.dim() == 2 && rows.slots.size(0) == rows.tokens.size(0) &&
          rows.hidden.dim() == 2 &&
          rows.hidden.size(0) == rows.tokens.size(0) &&
          rows.hidden.size(1) == config_.hidden_size,
      "DecodeAhead: tokens ", rows.tokens.sizes(), ", positions ",
      rows.positions.sizes(), ", slots ", rows.slots.sizes(), ", hidden ",
      rows.hidden.sizes());
  // Each token is a block of its own, so that row i can lie where token i + 1
  // does.
  const at::Tensor flat = cache->ahead().view(
      {cache->blocks() * cache->block_tokens(), 1, cache->ahead().size(2)});
  return RunsOnKernels(weights_.embedding) && RunsOnKernels(flat)
             ? DecodeAheadOnKernels(rows, flat)
             : DecodeAheadOnLibTorch(rows, flat);
}

at::Tensor Transformer::DecodeAheadOnKernels(const AheadRows& rows,
                                             const at::Tensor& cache) const {
  const at::Tensor token = rows.tokens.contiguous();
  const at::Tensor position = rows.positions.contiguous();
  const at::Tensor slots = rows.slots.contiguous();
  const at::Tensor hidden = rows.hidden.contiguous();
  const at::Tensor wanted = rows.wanted.contiguous();
  CheckIndices(wanted, token.size(0), "DecodeAhead");
  DecodeBatch batch =
      MakeBatch({.tokens = token, .positions = position, .tables = slots}, 1);
  CheckInRange(batch, config_, cache.size(0));
  batch.caches.push_back(cache.data_ptr<float>());
  const at::Tensor logits =
      at::empty({wanted.size(0), config_.vocab_size}, at::kFloat);
  batch.logits = logits.mutable_data_ptr<float>();
  batch.route_row = config_.router.experts_per_token;
  std::vector<int32_t> routes(
      static_cast<size_t>(batch.size * batch.route_row));
  batch.routes = routes.data();
  Decoder()->StepAhead(batch,
                       {.hidden = hidden.const_data_ptr<float>(),
                        .wanted = wanted.const_data_ptr<int64_t>(),
                        .wanted_count = wanted.size(0)},
                       at::get_num_threads());
  return logits;
}

at::Tensor Transformer::DecodeAheadOnLibTorch(const AheadRows& rows,
                                              const at::Tensor& cache) const {
  const DecodePlaces places{
      .rows = FactsOf(rows.positions),
      .slots = rows.slots.gather(1, rows.positions.unsqueeze(1))
                   .squeeze(1)
                   .to(at::kLong),
      .block_tables = rows.slots,
      .context = (rows.positions + 1).to(at::kInt)};
  std::vector<at::Tensor> routes;
  const at::Tensor h = DecodeLayer(
      weights_.mtp.layer, config_.IsLatent() ? &Absorbed().back() : nullptr,
      JoinAhead(rows.tokens, rows.hidden), places, cache, &routes);
  return Logits(RmsNorm(h.index_select(0, rows.wanted), weights_.mtp.norm,
                        config_.rms_norm_eps));
}

}  // namespace cohort
