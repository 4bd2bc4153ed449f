#include "model/decode_cpu.h"

#include <algorithm>

#include "model/kernels/expert_rows.h"
#include "model/kernels/gemm.h"
#include "model/kernels/mla_decode.h"
#include "model/kernels/parallel.h"
#include "model/kernels/rms_norm.h"
#include "model/kernels/router.h"
#include "model/kernels/swiglu.h"
#include "model/mla.h"

namespace cohort {
namespace {

const float* Data(const at::Tensor& tensor) {
  return tensor.const_data_ptr<float>();
}

PackedMatrix Pack(const at::Tensor& weight) {
  return {Data(weight), weight.size(0), weight.size(1)};
}

void Norm(int64_t rows, int64_t width, const float* x, int64_t x_row,
          const at::Tensor& weight, double eps, float* y) {
  RmsNormForward({.n = rows,
                  .d = width,
                  .x = x,
                  .x_row = x_row,
                  .weight = Data(weight),
                  .eps = eps,
                  .threads = 1},
                 y);
}

// y += x.
void Add(const float* x, int64_t size, float* y) {
  for (int64_t i = 0; i < size; ++i) y[i] += x[i];
}

// c [m, n] = a [m, k] b [k, n], one head of rows that hold all heads.
void MultiplyHead(int64_t m, int64_t k, int64_t n, const float* a,
                  int64_t a_row, const float* b, float* c, int64_t c_row) {
  Gemm({.m = m,
        .n = n,
        .k = k,
        .a = a,
        .a_row = a_row,
        .a_col = 1,
        .b = b,
        .b_row = n,
        .c = c,
        .c_row = c_row,
        .accumulate = false});
}

// As Rotate in model/rope.h, for one head of one row.
void RotateOne(const float* x, const float* cos, const float* sin,
               int64_t pairs, bool interleave, float* y) {
  const int64_t next = interleave ? 1 : pairs;
  const int64_t step = interleave ? 2 : 1;
  for (int64_t i = 0; i < pairs; ++i) {
    const float a = x[i * step];
    const float b = x[i * step + next];
    y[i * step] = a * cos[i] - b * sin[i];
    y[i * step + next] = b * cos[i] + a * sin[i];
  }
}

}  // namespace

// Memory for rows [begin, end) of a batch: N of them.
struct CpuDecoder::Scratch {
  int64_t begin = 0;
  int64_t rows = 0;  // N
  Buffer memory;
  float* state = nullptr;        // [N, D], the residual stream
  float* x = nullptr;            // [N, D], normalised
  float* y = nullptr;            // [N, D], of a sublayer
  float* projected = nullptr;    // [N, Q + R + P]
  float* q_low = nullptr;        // [N, q_lora_rank]
  float* q = nullptr;            // [N, H (nope + P)]
  float* q_latent = nullptr;     // [N, H, R]
  float* q_rope = nullptr;       // [N, H, P]
  float* attended = nullptr;     // [N, H, R]
  float* heads = nullptr;        // [N, H v]
  float* hidden = nullptr;       // [N K, 2 I] of the widest MLP
  float* gathered = nullptr;     // [N K, D]
  float* outputs = nullptr;      // [N K, D], one row per slot
  float* scores = nullptr;       // [N, E]
  float* weights = nullptr;      // [N, K]
  std::vector<int64_t> chosen;   // [N, K]
  std::vector<int32_t> context;  // [N]

  Scratch(const ModelConfig& c, int64_t first, int64_t count);
};

CpuDecoder::Scratch::Scratch(const ModelConfig& c, int64_t first, int64_t count)
    : begin(first), rows(count) {
  const int64_t d = c.hidden_size;
  const int64_t h = c.num_attention_heads;
  const int64_t q_width = h * (c.qk_nope_head_dim + c.qk_rope_head_dim);
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
      {&projected, low + c.kv_lora_rank + c.qk_rope_head_dim},
      {&q_low, c.q_lora_rank},
      {&q, q_width},
      {&q_latent, h * c.kv_lora_rank},
      {&q_rope, h * c.qk_rope_head_dim},
      {&attended, h * c.kv_lora_rank},
      {&heads, h * c.v_head_dim},
      {&hidden, hidden_width},
      {&gathered, k * d},
      {&outputs, k * d},
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
  const AttentionWeights& attention = weights.attention;
  const int64_t rank = config_.kv_lora_rank;
  const int64_t nope = config_.qk_nope_head_dim;
  const int64_t v = config_.v_head_dim;
  Layer layer;
  layer.weights = &weights;
  layer.inputs = Pack(attention.inputs);
  if (attention.q_b.defined()) layer.q_b = Pack(attention.q_b);
  layer.output = Pack(attention.output);
  layer.from_latent = hwy::AllocateAligned<float>(
      static_cast<size_t>(config_.num_attention_heads * rank * v));
  for (int64_t h = 0; h < config_.num_attention_heads; ++h) {
    Transpose(Data(attention.kv_b) + (h * (nope + v) + nope) * rank, rank, v,
              rank, layer.from_latent.get() + h * rank * v, v);
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

// Writes row `row`'s latent and rotated key to its place in the cache, and its
// rotated queries to the scratch.
void CpuDecoder::PlaceRow(const DecodeBatch& batch, const Layer& layer,
                          int64_t row, float* cache, Scratch* s) const {
  const int64_t rank = config_.kv_lora_rank;
  const int64_t rope = config_.qk_rope_head_dim;
  const int64_t head = config_.qk_nope_head_dim + rope;
  const int64_t width = layer.inputs.outputs();
  const int64_t position = batch.positions[s->begin + row];
  const float* const cos = Data(rope_.cos) + position * (rope / 2);
  const float* const sin = Data(rope_.sin) + position * (rope / 2);
  const int64_t block = batch.tables[(s->begin + row) * batch.table_row +
                                     position / batch.block_tokens];
  float* const place =
      cache + (block * batch.block_tokens + position % batch.block_tokens) *
                  (rank + rope);
  const float* const from = s->projected + (row + 1) * width - rank - rope;
  Norm(1, rank, from, rank, layer.weights->attention.kv_norm, kLatentEps,
       place);
  RotateOne(from + rank, cos, sin, rope / 2, config_.rope.interleave,
            place + rank);
  for (int64_t h = 0; h < config_.num_attention_heads; ++h) {
    const int64_t i = row * config_.num_attention_heads + h;
    RotateOne(s->q + (i + 1) * head - rope, cos, sin, rope / 2,
              config_.rope.interleave, s->q_rope + i * rope);
  }
}

// Queries of all rows to s->q, and what the cache stores to s->projected.
void CpuDecoder::Project(const Layer& layer, Scratch* s) const {
  const AttentionWeights& w = layer.weights->attention;
  const int64_t width = layer.inputs.outputs();
  const int64_t queries = config_.num_attention_heads *
                          (config_.qk_nope_head_dim + config_.qk_rope_head_dim);
  layer.inputs.Multiply(s->rows, s->x, config_.hidden_size, s->projected,
                        width);
  if (w.q_b.defined()) {
    const int64_t low = config_.q_lora_rank;
    Norm(s->rows, low, s->projected, width, w.q_norm, kLatentEps, s->q_low);
    layer.q_b.Multiply(s->rows, s->q_low, low, s->q, queries);
    return;
  }
  for (int64_t n = 0; n < s->rows; ++n) {
    std::copy_n(s->projected + n * width, queries, s->q + n * queries);
  }
}

void CpuDecoder::Attend(const DecodeBatch& batch, const Layer& layer,
                        float* cache, Scratch* s) const {
  const int64_t heads = config_.num_attention_heads;
  const int64_t rank = config_.kv_lora_rank;
  const int64_t nope = config_.qk_nope_head_dim;
  const int64_t v = config_.v_head_dim;
  const int64_t head = nope + config_.qk_rope_head_dim;
  Project(layer, s);
  for (int64_t n = 0; n < s->rows; ++n) PlaceRow(batch, layer, n, cache, s);
  for (int64_t h = 0; h < heads; ++h) {
    MultiplyHead(s->rows, nope, rank, s->q + h * head, heads * head,
                 Data(layer.weights->attention.kv_b) + h * (nope + v) * rank,
                 s->q_latent + h * rank, heads * rank);
  }
  MlaDecode({.batch = s->rows,
             .heads = heads,
             .rank = rank,
             .rope = config_.qk_rope_head_dim,
             .q_latent = s->q_latent,
             .q_rope = s->q_rope,
             .cache = cache,
             .block_tokens = batch.block_tokens,
             .tables = batch.tables + s->begin * batch.table_row,
             .table_row = batch.table_row,
             .context = s->context.data(),
             .scale = static_cast<float>(config_.SoftmaxScale()),
             .threads = 1},
            s->attended);
  for (int64_t h = 0; h < heads; ++h) {
    MultiplyHead(s->rows, rank, v, s->attended + h * rank, heads * rank,
                 layer.from_latent.get() + h * rank * v, s->heads + h * v,
                 heads * v);
  }
  layer.output.Multiply(s->rows, s->heads, heads * v, s->y,
                        config_.hidden_size);
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
                               .normalise = settings.normalise,
                               .scaling = static_cast<float>(settings.scaling)};
  layer.gate.Multiply(s->rows, s->x, d, s->scores, experts);
  SigmoidInPlace(s->scores, s->rows * experts);
  ChooseExperts(router, s->scores, Data(layer.weights->moe.bias),
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
    Attend(batch, layer, batch.caches[i], &s);
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
