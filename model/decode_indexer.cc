// The indexer's part of the CPU decoder (model/indexer.h).
#include <algorithm>

#include "model/decode_scratch.h"
#include "model/indexer.h"
#include "model/kernels/indexer.h"

namespace cohort {

void CpuDecoder::PackIndexer(Layer* layer) {
  const IndexerWeights& w = layer->weights->indexer;
  layer->index_queries = Pack(w.queries);
  layer->index_key = Pack(w.key);
  layer->index_gates = Pack(w.head_gates);
}

void CpuDecoder::PlaceIndex(const DecodeBatch& batch, const Layer& layer,
                            int64_t row, float* cache, Scratch* s) const {
  const IndexerWeights& w = layer.weights->indexer;
  const int64_t width = config_.index_head_dim;
  Angles angles = AnglesOf(batch, row);
  angles.interleave = false;
  float* const place =
      cache + PlaceOf(batch, row) + config_.CacheWidth() - width;
  LayerNorm({.n = 1,
             .d = width,
             .x = s->index_key + row * width,
             .x_row = width,
             .weight = Data(w.key_norm),
             .bias = Data(w.key_bias),
             .eps = kIndexerEps},
            place, width);
  RotateOne(place, angles, place);
  const int64_t heads = config_.index_n_heads;
  float* const gates = s->index_gates + row * heads;
  const float scale = static_cast<float>(IndexerScale(config_));
  for (int64_t h = 0; h < heads; ++h) {
    float* const q = s->index_q + (row * heads + h) * width;
    RotateOne(q, angles, q);
    gates[h] *= scale;
  }
}

void CpuDecoder::SelectTokens(const DecodeBatch& batch, const Layer& layer,
                              float* cache, Scratch* s) const {
  const int64_t d = config_.hidden_size;
  const int64_t heads = config_.index_n_heads;
  const int64_t width = config_.index_head_dim;
  layer.index_queries.Multiply(s->rows, s->q_low, config_.q_lora_rank,
                               s->index_q, heads * width, team_.get());
  layer.index_key.Multiply(s->rows, s->x, d, s->index_key, width, team_.get());
  layer.index_gates.Multiply(s->rows, s->x, d, s->index_gates, heads,
                             team_.get());
  s->selected_row = std::min<int64_t>(
      config_.index_topk,
      *std::max_element(s->context.begin(), s->context.end()));
  s->selected.resize(static_cast<size_t>(s->rows * s->selected_row));
  ForSequences(batch, [&](const RowRange& rows) {
    const auto [begin, end] = rows;
    for (int64_t n = begin; n < end; ++n) {
      PlaceIndex(batch, layer, n, cache, s);
    }
    SelectPaged(
        {.sizes = {.heads = heads, .width = width, .topk = config_.index_topk},
         .batch = end - begin,
         .q = s->index_q + begin * heads * width,
         .gates = s->index_gates + begin * heads,
         .cache = cache,
         .row = config_.CacheWidth(),
         .key_at = config_.CacheWidth() - width,
         .block_tokens = batch.block_tokens,
         .tables = batch.tables + begin * batch.table_row,
         .table_row = batch.table_row,
         .context = s->context.data() + begin,
         .threads = 1},
        s->selected.data() + begin * s->selected_row, s->selected_row);
  });
}

}  // namespace cohort
