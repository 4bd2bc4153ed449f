#include "model/decode_cpu.h"

#include <algorithm>

#include "model/decode_scratch.h"
#include "model/kernels/expert_rows.h"
#include "model/kernels/paged_attention.h"
#include "model/kernels/router.h"
#include "model/kernels/swiglu.h"

namespace cohort {
namespace {

// Rows that one thread takes at a time between products: the completions of one
// prompt often, which share what they read.
constexpr int64_t kRowsPerPart = 8;
constexpr int64_t kExpertRows = 24;  // At least, where an expert's are split.

// Gates and ups [rows, 2 width] to what `down` reads, in place.
void Activate(int64_t begin, int64_t end, int64_t width, float* hidden) {
  for (int64_t n = begin; n < end; ++n) {
    float* const gate = hidden + n * 2 * width;
    SwiGlu(gate, gate + width, width, gate);
  }
}

}  // namespace

CpuDecoder::Scratch::Scratch(const ModelConfig& c, int64_t count)
    : rows(count), width(c.hidden_size) {
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

void CpuDecoder::Scratch::Begin(const int64_t* positions) {
  for (int64_t n = 0; n < rows; ++n) {
    context[static_cast<size_t>(n)] = static_cast<int32_t>(positions[n] + 1);
  }
  std::fill_n(y, rows * width, 0.0f);
}

PackedMatrix CpuDecoder::Pack(const at::Tensor& weight) {
  return {Data(weight), weight.size(0), weight.size(1), &memory_};
}

CpuDecoder::Mlp CpuDecoder::PackMlp(const at::Tensor& gate_up,
                                    const at::Tensor& down) {
  return {.gate_up = Pack(gate_up), .down = Pack(down)};
}

CpuDecoder::Layer CpuDecoder::PackLayer(const LayerWeights& weights) {
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
      head_(Pack(weights.head)) {
  for (const LayerWeights& layer : weights.layers) {
    layers_.push_back(PackLayer(layer));
  }
  LinkMatrices();
}

PackedMatrix* CpuDecoder::LinkLayer(Layer* layer, PackedMatrix* last) {
  const auto add = [&](PackedMatrix* matrix) {
    if (matrix->outputs() == 0) return;
    if (last != nullptr) last->SetNext(matrix);
    last = matrix;
  };
  add(&layer->inputs);
  add(&layer->q_b);
  add(&layer->index_queries);
  add(&layer->index_key);
  add(&layer->index_gates);
  add(&layer->output);
  add(&layer->gate);
  for (Mlp& expert : layer->experts) {
    add(&expert.gate_up);
    add(&expert.down);
  }
  add(&layer->mlp.gate_up);
  add(&layer->mlp.down);
  return last;
}

void CpuDecoder::LinkMatrices() {
  PackedMatrix* last = nullptr;
  for (Layer& layer : layers_) last = LinkLayer(&layer, last);
  if (last != nullptr) last->SetNext(&head_);
}

void CpuDecoder::UseThreads(int threads) {
  if (team_ == nullptr || team_->threads() != threads) {
    team_ = std::make_unique<Team>(threads);
  }
}

void CpuDecoder::ForRows(
    int64_t rows, const std::function<void(int64_t, int64_t)>& run) const {
  const int64_t parts =
      team_->threads() == 1 ? 1 : (rows + kRowsPerPart - 1) / kRowsPerPart;
  team_->ForEach(parts, [&](int64_t part) {
    run(rows * part / parts, rows * (part + 1) / parts);
  });
}

bool CpuDecoder::Continues(const DecodeBatch& batch, int64_t row) const {
  return row > 0 && batch.positions[row] == batch.positions[row - 1] + 1 &&
         PlaceOf(batch, row, batch.positions[row - 1]) ==
             PlaceOf(batch, row - 1);
}

void CpuDecoder::ForSequences(
    const DecodeBatch& batch,
    const std::function<void(const RowRange&)>& run) const {
  const auto whole = [&](int64_t row) {
    while (row < batch.size && Continues(batch, row)) ++row;
    return row;
  };
  ForRows(batch.size, [&](int64_t begin, int64_t end) {
    const RowRange rows = {.begin = whole(begin), .end = whole(end)};
    if (rows.begin < rows.end) run(rows);
  });
}

void CpuDecoder::AddAndNorm(const at::Tensor& weight, Scratch* s) const {
  const int64_t d = config_.hidden_size;
  ForRows(s->rows, [&](int64_t begin, int64_t end) {
    const int64_t at = begin * d;
    Add(s->y + at, (end - begin) * d, s->state + at);
    Norm(end - begin, d, s->state + at, d, weight, config_.rms_norm_eps,
         s->x + at);
  });
}

Angles CpuDecoder::AnglesOf(const DecodeBatch& batch, int64_t row) const {
  const int64_t pairs = config_.RopeWidth() / 2;
  const int64_t at = batch.positions[row] * pairs;
  return {.cos = Data(rope_.cos) + at,
          .sin = Data(rope_.sin) + at,
          .pairs = pairs,
          .interleave = config_.rope.interleave};
}

int64_t CpuDecoder::PlaceOf(const DecodeBatch& batch, int64_t row,
                            int64_t position) const {
  const int64_t block =
      batch.tables[row * batch.table_row + position / batch.block_tokens];
  return (block * batch.block_tokens + position % batch.block_tokens) *
         config_.CacheWidth();
}

void CpuDecoder::AttendToCache(const DecodeBatch& batch, const RowRange& rows,
                               const PagedLayout& layout, const float* cache,
                               const Scratch& s, float* out) const {
  const int64_t heads = config_.num_attention_heads;
  PagedAttention(
      {.batch = rows.end - rows.begin,
       .heads = heads,
       .kv_heads = layout.kv_heads,
       .key_width = layout.key_width,
       .value_width = layout.value_width,
       .value_at = layout.value_at,
       .q = s.query + rows.begin * heads * layout.key_width,
       .cache = cache,
       .row = config_.CacheWidth(),
       .block_tokens = batch.block_tokens,
       .tables = batch.tables + rows.begin * batch.table_row,
       .table_row = batch.table_row,
       .context = s.context.data() + rows.begin,
       .selected = config_.IsSparse()
                       ? s.selected.data() + rows.begin * s.selected_row
                       : nullptr,
       .selected_row = s.selected_row,
       .scale = static_cast<float>(config_.SoftmaxScale()),
       .threads = 1},
      out + rows.begin * heads * layout.value_width);
}

void CpuDecoder::RunMlp(const Mlp& mlp, int64_t rows, const float* x,
                        float* hidden, float* y) const {
  const int64_t width = mlp.down.inputs();
  const int64_t d = config_.hidden_size;
  mlp.gate_up.Multiply(rows, x, d, hidden, 2 * width, team_.get());
  ForRows(rows, [&](int64_t begin, int64_t end) {
    Activate(begin, end, width, hidden);
  });
  mlp.down.Multiply(rows, hidden, 2 * width, y, d, team_.get());
}

void CpuDecoder::RunExpert(const Mlp& expert, int64_t rows, float* x,
                           float* hidden, const float* ahead) const {
  const int64_t width = expert.down.inputs();
  const int64_t d = config_.hidden_size;
  expert.gate_up.MultiplyAlone(rows, x, d, hidden, 2 * width,
                               expert.down.StartOf(0, 1));
  Activate(0, rows, width, hidden);
  expert.down.MultiplyAlone(rows, hidden, 2 * width, x, d, ahead);
}

// Leaves each row's experts and their weights in s->chosen and s->weights.
void CpuDecoder::Route(const Layer& layer, int32_t* routes, int64_t route_row,
                       Scratch* s) const {
  const int64_t experts = config_.n_routed_experts;
  const RouterSettings& settings = config_.router;
  const int64_t k = settings.experts_per_token;
  layer.gate.Multiply(s->rows, s->x, config_.hidden_size, s->scores, experts,
                      team_.get());
  ForRows(s->rows, [&](int64_t begin, int64_t end) {
    const RouterParams router = {
        .n = end - begin,
        .experts = experts,
        .per_token = k,
        .groups = settings.groups,
        .groups_per_token = settings.groups_per_token,
        .group_best = settings.group_best,
        .softmax = settings.softmax,
        .normalise = settings.normalise,
        .scaling = static_cast<float>(settings.scaling)};
    float* const scores = s->scores + begin * experts;
    int64_t* const chosen = s->chosen.data() + begin * k;
    ScoreExperts(router, scores);
    const at::Tensor& bias = layer.weights->moe.bias;
    ChooseExperts(router, scores, bias.defined() ? Data(bias) : nullptr,
                  chosen);
    RouteWeights(router, scores, chosen, s->weights + begin * k);
    for (int64_t n = begin; n < end; ++n) {
      for (int64_t j = 0; j < k; ++j) {
        routes[n * route_row + j] =
            static_cast<int32_t>(s->chosen[static_cast<size_t>(n * k + j)]);
      }
    }
  });
}

// Leaves in s->outputs what each row's experts give.
void CpuDecoder::RunRouted(const Layer& layer, Scratch* s) const {
  const int64_t d = config_.hidden_size;
  const int64_t k = config_.router.experts_per_token;
  const int64_t slots = s->rows * k;
  const ExpertOrder order =
      SortByExpert(s->chosen.data(), slots, config_.n_routed_experts);
  // Some rows of one expert, from `first` in the order of experts on.
  struct Part {
    size_t expert;
    int64_t first;
    int64_t rows;
  };
  // An expert that most rows chose does not keep one thread busy alone.
  const int64_t most =
      team_->threads() == 1
          ? slots
          : std::max(slots / (2 * team_->threads()), kExpertRows);
  std::vector<Part> parts;
  for (size_t e = 0; e < layer.experts.size(); ++e) {
    for (int64_t first = order.begins[e]; first < order.begins[e + 1];
         first += most) {
      parts.push_back({.expert = e,
                       .first = first,
                       .rows = std::min(most, order.begins[e + 1] - first)});
    }
  }
  const auto count = static_cast<int64_t>(parts.size());
  const PackedMatrix* const after = layer.experts.back().down.next();
  const auto ahead_of = [&](int64_t i) {
    const int64_t thread = team_->ThreadOf(i, count);
    if (i + 1 == count || team_->ThreadOf(i + 1, count) != thread) {
      return after->StartOf(thread, team_->threads());
    }
    const size_t next = parts[static_cast<size_t>(i) + 1].expert;
    return layer.experts[next].gate_up.StartOf(0, 1);
  };
  team_->ForEach(count, [&](int64_t i) {
    const Part& part = parts[static_cast<size_t>(i)];
    const Mlp& expert = layer.experts[part.expert];
    const int64_t* const slot = order.slots.data() + part.first;
    float* const rows = s->gathered + part.first * d;
    GatherRows(s->x, d, slot, part.rows, k, rows);
    RunExpert(expert, part.rows, rows,
              s->hidden + part.first * 2 * expert.down.inputs(), ahead_of(i));
    for (int64_t r = 0; r < part.rows; ++r) {
      std::copy_n(rows + r * d, d, s->outputs + slot[r] * d);
    }
  });
}

// Leaves in s->y what the routed and the shared experts give.
void CpuDecoder::RunExperts(const Layer& layer, int32_t* routes,
                            int64_t route_row, Scratch* s) const {
  const int64_t d = config_.hidden_size;
  Route(layer, routes, route_row, s);
  RunRouted(layer, s);
  const bool shared = layer.mlp.down.outputs() > 0;
  if (shared) {
    RunMlp(layer.mlp, s->rows, s->x, s->hidden, s->gathered);
  }
  ForRows(s->rows, [&](int64_t begin, int64_t end) {
    CombineRows(s->outputs, d, config_.router.experts_per_token, s->weights,
                begin, end, s->y);
    if (shared) {
      Add(s->gathered + begin * d, (end - begin) * d, s->y + begin * d);
    }
  });
}

void CpuDecoder::RunLayer(const DecodeBatch& batch, const Layer& layer,
                          float* cache, int32_t* routes, Scratch* s) const {
  AddAndNorm(layer.weights->input_norm, s);
  if (config_.IsLatent()) {
    AttendLatent(batch, layer, cache, s);
  } else {
    AttendGrouped(batch, layer, cache, s);
  }
  AddAndNorm(layer.weights->post_norm, s);
  if (layer.experts.empty()) {
    RunMlp(layer.mlp, s->rows, s->x, s->hidden, s->y);
  } else {
    RunExperts(layer, routes, batch.route_row, s);
  }
}

void CpuDecoder::Step(const DecodeBatch& batch, int threads) {
  if (batch.size == 0) return;
  UseThreads(threads);
  const int64_t d = config_.hidden_size;
  Scratch s(config_, batch.size);
  for (int64_t n = 0; n < s.rows; ++n) {
    std::copy_n(Data(weights_.embedding) + batch.tokens[n] * d, d,
                s.state + n * d);
  }
  s.Begin(batch.positions);
  int32_t* routes = batch.routes;
  for (size_t i = 0; i < layers_.size(); ++i) {
    RunLayer(batch, layers_[i], batch.caches[i], routes, &s);
    if (!layers_[i].experts.empty()) {
      routes += config_.router.experts_per_token;
    }
  }
  AddAndNorm(weights_.norm, &s);
  std::copy_n(s.x, s.rows * d, batch.hidden);
  head_.Multiply(s.rows, s.x, d, batch.logits, config_.vocab_size, team_.get());
}

}  // namespace cohort
