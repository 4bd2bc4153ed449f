// Grouped queries' part of the CPU decoder.
#include <algorithm>

#include "model/decode_scratch.h"
#include "model/gqa.h"

namespace cohort {

// Writes row `row`'s keys and values to their place in the cache, and its
// queries to s->query.
void CpuDecoder::PlaceGrouped(const DecodeBatch& batch, const Layer& layer,
                              int64_t row, float* cache, Scratch* s) const {
  const GroupedWeights& w = layer.weights->grouped;
  const int64_t width = config_.head_dim;
  const int64_t heads = config_.num_attention_heads;
  const int64_t kv_heads = config_.num_key_value_heads;
  const double eps = config_.rms_norm_eps;
  float* const from = s->projected + row * layer.inputs.outputs();
  if (w.inputs_bias.defined()) {
    Add(Data(w.inputs_bias), layer.inputs.outputs(), from);
  }
  const float* q = from;
  const float* k = q + heads * width;
  const float* const v = k + kv_heads * width;
  float* const to_q = s->query + row * heads * width;
  float* const to_k = cache + PlaceOf(batch, row);
  if (w.q_norm.defined()) {
    Norm(heads, width, q, width, w.q_norm, eps, to_q);
    Norm(kv_heads, width, k, width, w.k_norm, eps, to_k);
    q = to_q;
    k = to_k;
  }
  const Angles angles = AnglesOf(batch, row);
  for (int64_t h = 0; h < heads; ++h) {
    RotateOne(q + h * width, angles, to_q + h * width);
  }
  for (int64_t h = 0; h < kv_heads; ++h) {
    RotateOne(k + h * width, angles, to_k + h * width);
  }
  std::copy_n(v, kv_heads * width, to_k + kv_heads * width);
}

void CpuDecoder::AttendGrouped(const DecodeBatch& batch, const Layer& layer,
                               float* cache, Scratch* s) const {
  const int64_t d = config_.hidden_size;
  layer.inputs.Multiply(s->rows, s->x, d, s->projected, layer.inputs.outputs(),
                        team_.get());
  ForSequences(batch, [&](const RowRange& rows) {
    for (int64_t n = rows.begin; n < rows.end; ++n) {
      PlaceGrouped(batch, layer, n, cache, s);
    }
    AttendToCache(batch, rows, GroupedLayout(config_), cache, *s, s->heads);
  });
  layer.output.Multiply(s->rows, s->heads, layer.output.inputs(), s->y, d,
                        team_.get());
  const at::Tensor& bias = layer.weights->grouped.output_bias;
  if (!bias.defined()) return;
  for (int64_t n = 0; n < s->rows; ++n) Add(Data(bias), d, s->y + n * d);
}

}  // namespace cohort
