// MLA's part of the CPU decoder: the absorbed form over the latent cache.
#include <algorithm>

#include "model/attention.h"
#include "model/decode_scratch.h"
#include "model/kernels/paged_attention.h"
#include "model/mla.h"

namespace cohort {

void CpuDecoder::PackLatent(Layer* layer) {
  const AttentionWeights& attention = layer->weights->attention;
  const int64_t rank = config_.kv_lora_rank;
  const int64_t nope = config_.qk_nope_head_dim;
  const int64_t v = config_.v_head_dim;
  layer->inputs = Pack(attention.inputs);
  if (attention.q_b.defined()) layer->q_b = Pack(attention.q_b);
  layer->output = Pack(attention.output);
  if (config_.IsSparse()) PackIndexer(layer);
  layer->from_latent = hwy::AllocateAligned<float>(
      static_cast<size_t>(config_.num_attention_heads * rank * v));
  for (int64_t h = 0; h < config_.num_attention_heads; ++h) {
    Transpose(Data(attention.kv_b) + (h * (nope + v) + nope) * rank, rank, v,
              rank, layer->from_latent.get() + h * rank * v, v);
  }
}

// Queries of all rows to s->q, and what the cache stores to s->projected.
void CpuDecoder::ProjectLatent(const Layer& layer, Scratch* s) const {
  const AttentionWeights& w = layer.weights->attention;
  const int64_t width = layer.inputs.outputs();
  const int64_t queries = config_.num_attention_heads *
                          (config_.qk_nope_head_dim + config_.qk_rope_head_dim);
  layer.inputs.Multiply(s->rows, s->x, config_.hidden_size, s->projected, width,
                        team_.get());
  if (w.q_b.defined()) {
    const int64_t low = config_.q_lora_rank;
    ForRows(s->rows, [&](int64_t begin, int64_t end) {
      Norm(end - begin, low, s->projected + begin * width, width, w.q_norm,
           kLatentEps, s->q_low + begin * low);
    });
    layer.q_b.Multiply(s->rows, s->q_low, low, s->q, queries, team_.get());
    return;
  }
  for (int64_t n = 0; n < s->rows; ++n) {
    std::copy_n(s->projected + n * width, queries, s->q + n * queries);
  }
}

// Writes row `row`'s latent and rotated key to its place in the cache, and the
// rotated part of its queries to s->query.
void CpuDecoder::PlaceLatent(const DecodeBatch& batch, const Layer& layer,
                             int64_t row, float* cache, Scratch* s) const {
  const int64_t rank = config_.kv_lora_rank;
  const int64_t rope = config_.qk_rope_head_dim;
  const int64_t head = config_.qk_nope_head_dim + rope;
  const Angles angles = AnglesOf(batch, row);
  float* const place = cache + PlaceOf(batch, row);
  const float* const from =
      s->projected + (row + 1) * layer.inputs.outputs() - rank - rope;
  Norm(1, rank, from, rank, layer.weights->attention.kv_norm, kLatentEps,
       place);
  RotateOne(from + rank, angles, place + rank);
  for (int64_t h = 0; h < config_.num_attention_heads; ++h) {
    const int64_t i = row * config_.num_attention_heads + h;
    RotateOne(s->q + (i + 1) * head - rope, angles,
              s->query + i * (rank + rope) + rank);
  }
}

// From the queries to what the output projection reads.
void CpuDecoder::AttendLatentRows(const DecodeBatch& batch, const Layer& layer,
                                  const RowRange& rows, float* cache,
                                  Scratch* s) const {
  const int64_t heads = config_.num_attention_heads;
  const int64_t rank = config_.kv_lora_rank;
  const int64_t nope = config_.qk_nope_head_dim;
  const int64_t v = config_.v_head_dim;
  const int64_t head = nope + config_.qk_rope_head_dim;
  const int64_t query = rank + config_.qk_rope_head_dim;
  const int64_t count = rows.end - rows.begin;
  const int64_t first = rows.begin * heads;  // Head of the batch.
  for (int64_t n = rows.begin; n < rows.end; ++n) {
    PlaceLatent(batch, layer, n, cache, s);
  }
  for (int64_t h = 0; h < heads; ++h) {
    MultiplyHead(count, nope, rank, s->q + first * head + h * head,
                 heads * head,
                 Data(layer.weights->attention.kv_b) + h * (nope + v) * rank,
                 s->query + first * query + h * query, heads * query);
  }
  AttendToCache(batch, rows, LatentLayout(config_), cache, *s, s->attended);
  for (int64_t h = 0; h < heads; ++h) {
    MultiplyHead(count, rank, v, s->attended + first * rank + h * rank,
                 heads * rank, layer.from_latent.get() + h * rank * v,
                 s->heads + first * v + h * v, heads * v);
  }
}

void CpuDecoder::AttendLatent(const DecodeBatch& batch, const Layer& layer,
                              float* cache, Scratch* s) const {
  ProjectLatent(layer, s);
  if (config_.IsSparse()) SelectTokens(batch, layer, cache, s);
  ForSequences(batch, [&](const RowRange& rows) {
    AttendLatentRows(batch, layer, rows, cache, s);
  });
  layer.output.Multiply(s->rows, s->heads, layer.output.inputs(), s->y,
                        config_.hidden_size, team_.get());
}

}  // namespace cohort
