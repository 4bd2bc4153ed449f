#include "model/mtp.h"

#include <torch/types.h>

#include <vector>

#include "model/gqa.h"
#include "model/linear.h"
#include "model/mla.h"
#include "model/rms_norm.h"

namespace cohort {

MtpBatch ShiftByOne(const PackedTokens& batch) {
  std::vector<int64_t> rows;
  MtpBatch shifted;
  shifted.next.offsets.push_back(0);
  for (size_t s = 1; s < batch.offsets.size(); ++s) {
    const int64_t last = batch.offsets[s] - 1;
    if (last <= batch.offsets[s - 1]) continue;
    for (int64_t row = batch.offsets[s - 1]; row < last; ++row) {
      rows.push_back(row);
    }
    shifted.next.offsets.push_back(static_cast<int64_t>(rows.size()));
  }
  shifted.rows = at::tensor(rows, at::kLong).to(batch.tokens.device());
  shifted.next.tokens = batch.tokens.index_select(0, shifted.rows + 1);
  shifted.next.positions = batch.positions.index_select(0, shifted.rows);
  return shifted;
}

ForwardResult Transformer::PredictAhead(const MtpBatch& batch,
                                        const at::Tensor& hidden) const {
  const MtpWeights& w = weights_.mtp;
  TORCH_CHECK(w.project.defined(),
              "the model has no multi-token prediction head");
  ForwardResult result;
  const RowFacts rows = FactsOf(batch.next.positions);
  AttentionExtras extras = {.want_cached = false, .cached = {}, .selected = {}};
  const at::Tensor h = RunLayer(
      w.layer, JoinAhead(batch.next.tokens, hidden.index_select(0, batch.rows)),
      {.rows = rows,
       .offsets = batch.next.offsets,
       .forced = nullptr,
       .routes = &result.routes,
       .extras = &extras});
  result.hidden = RmsNorm(h, w.norm, config_.rms_norm_eps);
  return result;
}

at::Tensor Transformer::JoinAhead(const at::Tensor& tokens,
                                  const at::Tensor& hidden) const {
  const MtpWeights& w = weights_.mtp;
  const double eps = config_.rms_norm_eps;
  const at::Tensor embedded =
      at::embedding(weights_.embedding, tokens, config_.pad_token_id);
  return Linear(at::cat({RmsNorm(embedded, w.embedding_norm, eps),
                         RmsNorm(hidden, w.hidden_norm, eps)},
                        1),
                w.project);
}

// Nobody wants the outputs of these rows: what the cache stores is all.
void Transformer::FillAhead(const PackedTokens& batch, const at::Tensor& hidden,
                            const CacheTarget& target) const {
  const MtpBatch shifted = ShiftByOne(batch);
  if (shifted.rows.numel() == 0) return;
  const LayerWeights& layer = weights_.mtp.layer;
  const at::Tensor x = RmsNorm(
      JoinAhead(shifted.next.tokens, hidden.index_select(0, shifted.rows)),
      layer.input_norm, config_.rms_norm_eps);
  const RowFacts rows = FactsOf(shifted.next.positions);
  const at::Tensor cached =
      config_.IsLatent() ? MlaCachedRows(config_, layer, x, rows)
                         : GroupedCachedRows(config_, layer.grouped, x, rows);
  const at::Tensor& cache = target.cache->ahead();
  cache.view({-1, cache.size(2)})
      .index_copy_(0, target.slots.index_select(0, shifted.rows + 1),
                   cached.to(cache.scalar_type()));
}

}  // namespace cohort
