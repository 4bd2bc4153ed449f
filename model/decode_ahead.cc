// The CPU decoder's step of the multi-token prediction head (model/mtp.h).
#include <algorithm>
#include <vector>

#include "model/decode_scratch.h"

namespace cohort {

void CpuDecoder::PackAhead() {
  ahead_.project = Pack(weights_.mtp.project);
  ahead_.layer = PackLayer(weights_.mtp.layer);
  LinkLayer(&ahead_.layer, &ahead_.project)->SetNext(&head_);
}

void CpuDecoder::StepAhead(const DecodeBatch& batch, const AheadInputs& inputs,
                           int threads) {
  if (batch.size == 0) return;
  UseThreads(threads);
  if (ahead_.layer.weights == nullptr) PackAhead();
  const MtpWeights& w = weights_.mtp;
  const int64_t d = config_.hidden_size;
  const double eps = config_.rms_norm_eps;
  Scratch s(config_, batch.size);
  const Buffer joined =
      hwy::AllocateAligned<float>(static_cast<size_t>(batch.size * 2 * d));
  ForRows(batch.size, [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) {
      float* const row = joined.get() + n * 2 * d;
      Norm(1, d, Data(weights_.embedding) + batch.tokens[n] * d, d,
           w.embedding_norm, eps, row);
      Norm(1, d, inputs.hidden + n * d, d, w.hidden_norm, eps, row + d);
    }
  });
  ahead_.project.Multiply(batch.size, joined.get(), 2 * d, s.state, d,
                          team_.get());
  s.Begin(batch.positions);
  RunLayer(batch, ahead_.layer, batch.caches[0], batch.routes, &s);
  AddAndNorm(w.norm, &s);
  for (int64_t i = 0; i < inputs.wanted_count; ++i) {
    std::copy_n(s.x + inputs.wanted[i] * d, d, s.y + i * d);
  }
  head_.Multiply(inputs.wanted_count, s.y, d, batch.logits, config_.vocab_size,
                 team_.get());
}

}  // namespace cohort
