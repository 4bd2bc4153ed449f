#include "model/mtp.h"

#include <torch/types.h>

#include <vector>

#include "model/linear.h"
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
  const double eps = config_.rms_norm_eps;
  const at::Tensor embedded = at::embedding(
      weights_.embedding, batch.next.tokens, config_.pad_token_id);
  const at::Tensor joined =
      at::cat({RmsNorm(embedded, w.embedding_norm, eps),
               RmsNorm(hidden.index_select(0, batch.rows), w.hidden_norm, eps)},
              1);  // [M, 2 D]
  ForwardResult result;
  const RowFacts rows = FactsOf(batch.next.positions);
  AttentionExtras extras = {.want_cached = false, .cached = {}, .selected = {}};
  const at::Tensor h = RunLayer(w.layer, Linear(joined, w.project),
                                {.rows = rows,
                                 .offsets = batch.next.offsets,
                                 .forced = nullptr,
                                 .routes = &result.routes,
                                 .extras = &extras});
  result.hidden = RmsNorm(h, w.norm, eps);
  return result;
}

}  // namespace cohort
