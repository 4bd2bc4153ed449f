// The policy: one definition of the weights and of the arithmetic, for the
// learner (Forward) and for the sampler (Prefill, Decode).
//
// Shapes: N packed tokens, S sequences, B sequences decoding, D width, V
// vocabulary, K experts per token.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/kv_cache.h"
#include "model/mla.h"
#include "model/model_config.h"
#include "model/rope.h"
#include "model/weights.h"

namespace cohort {

class CpuDecoder;
struct MtpBatch;

// Sequences laid end to end; sequence s is rows [offsets[s], offsets[s + 1]).
struct PackedTokens {
  at::Tensor tokens;             // [N] int64
  at::Tensor positions;          // [N] int64, from 0 in each sequence
  std::vector<int64_t> offsets;  // S + 1
};

// Lays `sequences` end to end, positions from 0, on `device`.
PackedTokens PackSequences(const std::vector<std::vector<int32_t>>& sequences,
                           at::Device device);

struct ForwardResult {
  at::Tensor hidden;  // [N, D], after the final norm; has the graph
  std::vector<at::Tensor> routes;  // per MoE layer [N, K] int64, ascending
  // Per layer with sparse attention: the tokens of its own sequence that each
  // row attends to, [N, C] int32, ascending, then -1.
  std::vector<at::Tensor> selected;
};

struct SampleResult {
  at::Tensor logits;  // [S or B, V] float32
  at::Tensor routes;  // [N or B, MoE layers, K] int32, ascending; on the CPU
  at::Tensor hidden;  // [S or B, D], what the logits are of: after the final
                      // norm
};

// Rows of the multi-token prediction head over the paged cache. The row of a
// sequence's token i joins its hidden state with token i + 1 and lies in the
// place of token i + 1: siblings share the places of their prompt, and its last
// token is followed by another one in each of them.
struct AheadRows {
  at::Tensor hidden;     // [B, D], of Prefill or Decode
  at::Tensor tokens;     // [B] int64, token i + 1
  at::Tensor positions;  // [B] int64, i
  at::Tensor slots;   // [B, longest] int32; column j: where token j + 1 lies,
                      // block * block_tokens + place
  at::Tensor wanted;  // [W] int64, the rows whose logits are wanted
};

// Single-threaded. Tensor arithmetic inside uses at::get_num_threads() threads;
// no result depends on their number. What meets a tensor of the wrong shape
// throws c10::Error (model/guard.h).
class Transformer {
 public:
  // Uninitialised weights of `dtype` on `device`. The router's gate and bias,
  // and log-probabilities, are float32 always.
  //   kResourceExhausted  the weights do not fit the device's memory
  static absl::StatusOr<std::unique_ptr<Transformer>> Create(
      const ModelConfig& config, at::ScalarType dtype, at::Device device);
  ~Transformer();

  // New weights. `init`: "fan_in" or "normal" (configs/config.h). The same bits
  // for the same seed on every machine.
  void Initialise(const std::string& init, double embedding_std, uint64_t seed);

  const ModelConfig& config() const { return config_; }
  at::Device device() const;

  // The weights under Hugging Face names, sorted as transformers lists them:
  // views that alias this model's storage, so that writing to them sets it. The
  // correction bias is among them; a tied head is not.
  std::vector<NamedTensor> HfTensors() const;

  // What an optimizer updates: leaf tensors, matrices that read the same input
  // stacked. Excludes the correction bias and the indexer. Those of the
  // multi-token prediction head are apart, none without one. SetTrainable turns
  // requires_grad on or off for all.
  std::vector<NamedTensor> Parameters() const;
  std::vector<NamedTensor> MtpParameters() const;
  void SetTrainable(bool trainable);

  // Correction bias of each MoE layer, [E] float32 (aliases); empty where the
  // router has none.
  std::vector<at::Tensor> CorrectionBiases() const;

  const at::Tensor& Embedding() const { return weights_.embedding; }  // [V, D]
  // The output head, [V, D]: the embedding where they are tied.
  const at::Tensor& Head() const { return weights_.head; }

  // All tokens at once, full heads; differentiable where grad mode is on.
  // `forced_routes`, one [N, K] int64 per MoE layer, replaces the router's
  // choice.
  ForwardResult Forward(
      const PackedTokens& batch,
      const std::vector<at::Tensor>* forced_routes = nullptr) const;

  // The multi-token prediction head (model/mtp.h) behind Forward; likewise
  // differentiable. `hidden`: [N, D], of Forward. Returns [M, D], whose product
  // with Head() are the logits of the token after batch.next. Throws
  // c10::Error without a head.
  ForwardResult PredictAhead(const MtpBatch& batch,
                             const at::Tensor& hidden) const;

  // Runs whole prompts and writes their rows to `cache`, those of the
  // prediction head too where it has them; slots [N] int64: where each token
  // goes, block * block_tokens + place in the block. Logits are those of each
  // sequence's last token. Requires no empty sequence.
  SampleResult Prefill(const PackedTokens& batch, const at::Tensor& slots,
                       KvCache* cache) const;

  // New tokens, mostly one per sequence, over the cache (MLA: the absorbed
  // form). Of some tokens of one sequence, in rows that follow each other, the
  // later ones see the earlier ones: on the CPU in float32 with the bits that
  // they would have one call after another.
  //   tokens, positions: [B] int64; block_tables: [B, max_blocks] int32, which
  //   already covers the new token's place
  SampleResult Decode(const at::Tensor& tokens, const at::Tensor& positions,
                      const at::Tensor& block_tables, KvCache* cache) const;

  // The prediction head over the cache, which must have its layer: logits
  // [W, V] float32 of the tokens after rows.tokens.
  at::Tensor DecodeAhead(const AheadRows& rows, KvCache* cache) const;

  // To be called after weights were written: drops what was derived from them
  // (packed or absorbed copies used in decoding).
  void WeightsChanged();

 private:
  // Where a run over packed rows writes what the cache stores.
  struct CacheTarget {
    const at::Tensor& slots;
    KvCache* cache;
  };

  // Packed rows on their way through one layer.
  struct LayerRun {
    const RowFacts& rows;
    const std::vector<int64_t>& offsets;
    const at::Tensor* forced;         // [N, K]; null: the router chooses
    std::vector<at::Tensor>* routes;  // Appended to in MoE layers.
    AttentionExtras* extras;
  };

  Transformer(const ModelConfig& config, at::ScalarType dtype,
              at::Device device);
  // h: [N, D], the residual stream before the layer. Returns it behind it.
  at::Tensor RunLayer(const LayerWeights& layer, const at::Tensor& h,
                      const LayerRun& run) const;
  ForwardResult RunLayers(const PackedTokens& batch,
                          const std::vector<at::Tensor>* forced_routes,
                          const CacheTarget* target) const;
  at::Tensor Attend(const LayerWeights& layer, const at::Tensor& x,
                    const RowFacts& rows, const std::vector<int64_t>& offsets,
                    AttentionExtras* extras) const;
  at::Tensor FeedForward(const LayerWeights& layer, const at::Tensor& x,
                         const at::Tensor* forced,
                         std::vector<at::Tensor>* routes) const;
  // [M, D], what the prediction head's layer reads.
  at::Tensor JoinAhead(const at::Tensor& tokens,
                       const at::Tensor& hidden) const;
  // Writes the head's rows of whole prompts.
  void FillAhead(const PackedTokens& batch, const at::Tensor& hidden,
                 const CacheTarget& target) const;
  CpuDecoder* Decoder() const;
  SampleResult DecodeOnKernels(const at::Tensor& tokens,
                               const at::Tensor& positions,
                               const at::Tensor& block_tables,
                               KvCache* cache) const;
  SampleResult DecodeOnLibTorch(const at::Tensor& tokens,
                                const at::Tensor& positions,
                                const at::Tensor& block_tables,
                                KvCache* cache) const;
  at::Tensor DecodeAheadOnKernels(const AheadRows& rows,
                                  const at::Tensor& cache) const;
  at::Tensor DecodeAheadOnLibTorch(const AheadRows& rows,
                                   const at::Tensor& cache) const;
  // `absorbed`: of the layer; not looked at without MLA.
  at::Tensor DecodeLayer(const LayerWeights& layer,
                         const AbsorbedWeights* absorbed, const at::Tensor& h,
                         const DecodePlaces& places, const at::Tensor& cache,
                         std::vector<at::Tensor>* routes) const;
  // Of all layers, then that of the prediction head if there is one.
  const std::vector<AbsorbedWeights>& Absorbed() const;
  at::Tensor Logits(const at::Tensor& hidden) const;
  // The chosen experts of all layers as the sampler records them.
  at::Tensor StackRoutes(const std::vector<at::Tensor>& routes,
                         int64_t rows) const;
  RowFacts FactsOf(const at::Tensor& positions) const;

  const ModelConfig config_;
  ModelWeights weights_;
  RopeTables rope_;
  // Made from the weights when decoding first needs them.
  mutable std::unique_ptr<CpuDecoder> decoder_;
  mutable std::vector<AbsorbedWeights> absorbed_;
};

}  // namespace cohort
