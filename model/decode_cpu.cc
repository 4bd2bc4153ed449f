#include "model/decode_cpu.h"

#include <algorithm>

#include "model/decode_scratch.h"
#include "model/kernels/expert_rows.h"
#include "model/kernels/paged_attention.h"
#include "model/kernels/parallel.h"
#include "model/kernels/router.h"
#include "model/kernels/swiglu.h"

namespace cohort {
CpuDecoder::Scratch::Scratch(const ModelConfig& c, int64_t first, int64_t count)
    : begin(first), rows(count) {
  const int64_t d = c.hidden_size;
  const int64_t h = c.num_attention_heads;
  const bool latent = c.IsLatent();
  const int64_t q_width =
      latent ? h * (c.qk_nope_head_dim + c.qk_rope_head_dim) : 0;
  const int64_t low = c.q_lora_rank > 0 ? c.q_lora_rank : q_width;
  const int64_t k = c.n_routed_experts > 0 ? c.router.experts_per_token : 0;
  const int64_t hidden_width =
      2 * std::max({c.intermediate_size,
                    c.n_shared_experts * c.moe_intermediate_size,
                    k * c.moe_intermediate_size});
  const std::pair<float**, int64_t> parts[] = {
      {&state, d},
      {&x, d},
      {&y, d},
      {&projected, latent ? low + c.kv_lora_rank + c.qk_rope_head_dim
                          : (h + 2 * c.num_key_value_heads) * c.head_dim},
      {&q_low, c.q_lora_rank},
      {&q, q_width},
      {&query, h * (latent ? c.kv_lora_rank + c.qk_rope_head_dim : c.head_dim)},
      {&attended, h * c.kv_lora_rank},
      {&heads, h * (latent ? c.v_head_dim : c.head_dim)},
      {&hidden, hidden_width},
      {&gathered, k * d},
      {&outputs, k * d},
      {&index_q, c.index_n_heads * c.index_head_dim},
      {&index_key, c.index_head_dim},
      {&index_gates, c.index_n_heads},
      {&scores, c.n_routed_experts},
      {&weights, k}};
  // Each part begins a cache line.
  const auto padded = [&](int64_t width) {
    return (rows * width + 15) / 16 * 16;
  };
  int64_t total = 0;
  for (const auto& part : parts) total += padded(part.second);
  memory = hwy::AllocateAligned<float>(static_cast<size_t>(total));
  float* next = memory.get();
  for (const auto& [where, width] : parts) {
    *where = next;
    next += padded(width);
  }
  chosen.resize(static_cast<size_t>(rows * k));
  context.resize(static_cast<size_t>(rows));
}

CpuDecoder::Mlp CpuDecoder::PackMlp(const at::Tensor& gate_up,
                                    const at::Tensor& down) {
  return {.gate_up = Pack(gate_up), .down = Pack(down)};
}

CpuDecoder::Layer CpuDecoder::PackLayer(const LayerWeights& weights) const {
  Layer layer;
  layer.weights = &weights;
  if (config_.IsLatent()) {
    PackLatent(&layer);
  } else {
    layer.inputs = Pack(weights.grouped.inputs);
    layer.output = Pack(weights.grouped.output);
  }
  const MoeWeights& moe = weights.moe;
  if (!moe.gate.defined()) {
    layer.mlp = PackMlp(weights.mlp.gate_up, weights.mlp.down);
    return layer;
  }
  layer.gate = Pack(moe.gate);
  for (int64_t e = 0; e < moe.gate_up.size(0); ++e) {
    layer.experts.push_back(PackMlp(moe.gate_up.select(0, e).detach(),
                                    moe.down.select(0, e).detach()));
  }
  if (moe.shared.down.defined()) {
    layer.mlp = PackMlp(moe.shared.gate_up, moe.shared.down);
  }
  return layer;
}

CpuDecoder::CpuDecoder(const ModelConfig& config, const ModelWeights& weights,
                       const RopeTables& rope)
    : config_(config),
      weights_(weights),
      rope_(rope),
      head_(Pack(weights.head)),
      moe_layers_(config.MoeLayers()) {
  for (const LayerWeights& layer : weights.layers) {
    layers_.push_back(PackLayer(layer));
  }
}

Angles CpuDecoder::AnglesOf(const DecodeBatch& batch, int64_t row) const {
  const int64_t pairs = config_.RopeWidth() / 2;
  const int64_t at = batch.positions[row] * pairs;
  return {.cos = Data(rope_.cos) + at,
          .sin = Data(rope_.sin) + at,
          .pairs = pairs,
          .interleave = config_.rope.interleave};
}

int64_t CpuDecoder::PlaceOf(const DecodeBatch& batch, int64_t row) const {
  const int64_t position = batch.positions[row];
  const int64_t block =
      batch.tables[row * batch.table_row + position / batch.block_tokens];
  return (block * batch.block_tokens + position % batch.block_tokens) *
         config_.CacheWidth();
}

void CpuDecoder::AttendToCache(const DecodeBatch& batch,
                               const PagedLayout& layout, const float* cache,
                               Scratch* s, float* out) const {
  PagedAttention({.batch = s->rows,
                  .heads = config_.num_attention_heads,
                  .kv_heads = layout.kv_heads,
                  .key_width = layout.key_width,
                  .value_width = layout.value_width,
                  .value_at = layout.value_at,
                  .q = s->query,
                  .cache = cache,
                  .row = config_.CacheWidth(),
                  .block_tokens = batch.block_tokens,
                  .tables = batch.tables + s->begin * batch.table_row,
                  .table_row = batch.table_row,
                  .context = s->context.data(),
                  .selected = config_.IsSparse() ? s->selected.data() : nullptr,
                  .selected_row = s->selected_row,
                  .scale = static_cast<float>(config_.SoftmaxScale()),
                  .threads = 1},
                 out);
}

void CpuDecoder::RunMlp(const Mlp& mlp, int64_t rows, const float* x, float* y,
                        Scratch* s) const {
  const int64_t width = mlp.down.inputs();
  mlp.gate_up.Multiply(rows, x, config_.hidden_size, s->hidden, 2 * width);
  for (int64_t n = 0; n < rows; ++n) {
    float* const gate = s->hidden + n * 2 * width;
    SwiGlu(gate, gate + width, width, gate);
  }
  mlp.down.Multiply(rows, s->hidden, 2 * width, y, config_.hidden_size);
}

// Leaves in s->y what the routed and the shared experts give.
void CpuDecoder::RunExperts(const Layer& layer, int32_t* routes,
                            int64_t route_row, Scratch* s) const {
  const int64_t d = config_.hidden_size;
  const int64_t experts = config_.n_routed_experts;
  const RouterSettings& settings = config_.router;
  const int64_t k = settings.experts_per_token;
  const RouterParams router = {.n = s->rows,
                               .experts = experts,
                               .per_token = k,
                               .groups = settings.groups,
                               .groups_per_token = settings.groups_per_token,
                               .group_best = settings.group_best,
                               .softmax = settings.softmax,
                               .normalise = settings.normalise,
                               .scaling = static_cast<float>(settings.scaling)};
  layer.gate.Multiply(s->rows, s->x, d, s->scores, experts);
  ScoreExperts(router, s->scores);
  const at::Tensor& bias = layer.weights->moe.bias;
  ChooseExperts(router, s->scores, bias.defined() ? Data(bias) : nullptr,
                s->chosen.data());
  RouteWeights(router, s->scores, s->chosen.data(), s->weights);
  for (int64_t n = 0; n < s->rows; ++n) {
    for (int64_t j = 0; j < k; ++j) {
      routes[n * route_row + j] =
          static_cast<int32_t>(s->chosen[static_cast<size_t>(n * k + j)]);
    }
  }
  const ExpertOrder order =
      SortByExpert(s->chosen.data(), s->rows * k, experts);
  for (size_t e = 0; e < layer.experts.size(); ++e) {
    const int64_t* const slots = order.slots.data() + order.begins[e];
    const int64_t rows = order.begins[e + 1] - order.begins[e];
    if (rows == 0) continue;
    GatherRows(s->x, d, slots, rows, k, s->gathered);
    RunMlp(layer.experts[e], rows, s->gathered, s->gathered, s);
    for (int64_t i = 0; i < rows; ++i) {
      std::copy_n(s->gathered + i * d, d, s->outputs + slots[i] * d);
    }
  }
  CombineRows(s->outputs, d, k, s->weights, 0, s->rows, s->y);
  if (layer.mlp.down.outputs() > 0) {
    RunMlp(layer.mlp, s->rows, s->x, s->gathered, s);
    Add(s->gathered, s->rows * d, s->y);
  }
}

void CpuDecoder::RunRows(const DecodeBatch& batch, int64_t begin,
                         int64_t end) const {
  const int64_t d = config_.hidden_size;
  const double eps = config_.rms_norm_eps;
  Scratch s(config_, begin, end - begin);
  for (int64_t n = 0; n < s.rows; ++n) {
    std::copy_n(Data(weights_.embedding) + batch.tokens[begin + n] * d, d,
                s.state + n * d);
    s.context[static_cast<size_t>(n)] =
        static_cast<int32_t>(batch.positions[begin + n] + 1);
  }
  const int64_t k = config_.router.experts_per_token;
  int32_t* routes = batch.routes + begin * moe_layers_ * k;
  for (size_t i = 0; i < layers_.size(); ++i) {
    const Layer& layer = layers_[i];
    Norm(s.rows, d, s.state, d, layer.weights->input_norm, eps, s.x);
    if (config_.IsLatent()) {
      AttendLatent(batch, layer, batch.caches[i], &s);
    } else {
      AttendGrouped(batch, layer, batch.caches[i], &s);
    }
    Add(s.y, s.rows * d, s.state);
    Norm(s.rows, d, s.state, d, layer.weights->post_norm, eps, s.x);
    if (layer.experts.empty()) {
      RunMlp(layer.mlp, s.rows, s.x, s.y, &s);
    } else {
      RunExperts(layer, routes, moe_layers_ * k, &s);
      routes += k;
    }
    Add(s.y, s.rows * d, s.state);
  }
  Norm(s.rows, d, s.state, d, weights_.norm, eps, s.x);
  head_.Multiply(s.rows, s.x, d, batch.logits + begin * config_.vocab_size,
                 config_.vocab_size);
}

void CpuDecoder::Step(const DecodeBatch& batch, int threads) const {
  const double row_cost = static_cast<double>(
      config_.num_hidden_layers * config_.hidden_size * config_.hidden_size);
  ForRanges(batch.size, row_cost, threads,
            [&](int64_t begin, int64_t end) { RunRows(batch, begin, end); });
}

}  // namespace cohort
