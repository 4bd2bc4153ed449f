// One decoding step on the CPU in float32: the arithmetic of
// Transformer::Decode over plain memory, with weights packed for it. A step of
// a small model is some two hundred small products, which calls into LibTorch
// would cost more than.
//
// Threads share the outputs of each product, the experts and, between products,
// the rows: each weight is read once a step. Each row's bits depend on its own
// sequence alone.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "hwy/aligned_allocator.h"
#include "model/attention.h"
#include "model/kernels/team.h"
#include "model/model_config.h"
#include "model/packed_matrix.h"
#include "model/rope.h"
#include "model/weights.h"

namespace cohort {

struct Angles;

// B new tokens, one or some of each sequence; those of one sequence follow each
// other.
struct DecodeBatch {
  int64_t size = 0;                    // B
  const int64_t* tokens = nullptr;     // [B]
  const int64_t* positions = nullptr;  // [B]
  const int32_t* tables = nullptr;     // [B, table_row] block numbers
  int64_t table_row = 0;
  std::vector<float*> caches;  // Per layer [blocks, block_tokens, W].
  int64_t block_tokens = 0;
  float* logits = nullptr;    // [B, V], written
  float* hidden = nullptr;    // [B, D], behind the final norm, written
  int32_t* routes = nullptr;  // [B, MoE layers, K], written
  int64_t route_row = 0;      // MoE layers times K.
};

// What the multi-token prediction head reads beside its batch, whose one cache
// is the head's and whose tokens are those after the rows.
struct AheadInputs {
  const float* hidden;    // [B, D], of the model, behind the final norm
  const int64_t* wanted;  // [W] the rows that logits [W, V] are written of
  int64_t wanted_count;   // W
};

class CpuDecoder {
 public:
  // Packs the weights as they are now. All three arguments must outlive it.
  CpuDecoder(const ModelConfig& config, const ModelWeights& weights,
             const RopeTables& rope);

  // Requires tokens, positions and block numbers in range.
  void Step(const DecodeBatch& batch, int threads);

  // The same of the prediction head (model/mtp.h), which the model must have.
  void StepAhead(const DecodeBatch& batch, const AheadInputs& inputs,
                 int threads);

 private:
  using Buffer = hwy::AlignedFreeUniquePtr<float[]>;
  struct Mlp {
    PackedMatrix gate_up;
    PackedMatrix down;
  };
  struct Layer {
    const LayerWeights* weights = nullptr;  // Norms, biases, kv_b.
    PackedMatrix inputs;
    PackedMatrix q_b;
    PackedMatrix index_queries;  // The indexer's; sparse attention.
    PackedMatrix index_key;
    PackedMatrix index_gates;
    Buffer from_latent;  // [H, R, v]; MLA
    PackedMatrix output;
    Mlp mlp;  // Dense or shared; empty where there is neither.
    PackedMatrix gate;
    std::vector<Mlp> experts;
  };
  // The prediction head.
  struct Ahead {
    PackedMatrix project;
    Layer layer;
  };
  struct Scratch;
  struct RowRange {
    int64_t begin;
    int64_t end;
  };

  PackedMatrix Pack(const at::Tensor& weight);
  Mlp PackMlp(const at::Tensor& gate_up, const at::Tensor& down);
  Layer PackLayer(const LayerWeights& weights);
  void PackAhead();
  // Tells each matrix what a step multiplies after it, the layers' behind
  // `last`. Returns the last of them.
  PackedMatrix* LinkLayer(Layer* layer, PackedMatrix* last);
  void LinkMatrices();

  void UseThreads(int threads);
  // Calls `run` for ranges of rows that together are [0, rows).
  void ForRows(int64_t rows,
               const std::function<void(int64_t, int64_t)>& run) const;
  // The same for the rows of a batch, those of one sequence in one range: the
  // later ones see what the earlier ones leave in the cache.
  void ForSequences(const DecodeBatch& batch,
                    const std::function<void(const RowRange&)>& run) const;
  // Whether a row's sequence is that of the row before it.
  bool Continues(const DecodeBatch& batch, int64_t row) const;
  // The residual stream takes what a sublayer gave, and s->x its norm.
  void AddAndNorm(const at::Tensor& weight, Scratch* s) const;
  // Where row `row` of the batch lies: its angles, and its place in a cache.
  Angles AnglesOf(const DecodeBatch& batch, int64_t row) const;
  int64_t PlaceOf(const DecodeBatch& batch, int64_t row) const {
    return PlaceOf(batch, row, batch.positions[row]);
  }
  int64_t PlaceOf(const DecodeBatch& batch, int64_t row,
                  int64_t position) const;
  // s.query of some rows against the cache; out: [N, H, value_width].
  void AttendToCache(const DecodeBatch& batch, const RowRange& rows,
                     const PagedLayout& layout, const float* cache,
                     const Scratch& s, float* out) const;
  // decode_latent.cc.
  void PackLatent(Layer* layer);
  void ProjectLatent(const Layer& layer, Scratch* s) const;
  void PlaceLatent(const DecodeBatch& batch, const Layer& layer, int64_t row,
                   float* cache, Scratch* s) const;
  void AttendLatentRows(const DecodeBatch& batch, const Layer& layer,
                        const RowRange& rows, float* cache, Scratch* s) const;
  void AttendLatent(const DecodeBatch& batch, const Layer& layer, float* cache,
                    Scratch* s) const;
  // decode_indexer.cc: the row's key to its place in the cache, what the rows
  // select to s->selected.
  void PackIndexer(Layer* layer);
  void PlaceIndex(const DecodeBatch& batch, const Layer& layer, int64_t row,
                  float* cache, Scratch* s) const;
  void SelectTokens(const DecodeBatch& batch, const Layer& layer, float* cache,
                    Scratch* s) const;
  // decode_grouped.cc.
  void PlaceGrouped(const DecodeBatch& batch, const Layer& layer, int64_t row,
                    float* cache, Scratch* s) const;
  void AttendGrouped(const DecodeBatch& batch, const Layer& layer, float* cache,
                     Scratch* s) const;
  // hidden: [rows, 2 I], scratch.
  void RunMlp(const Mlp& mlp, int64_t rows, const float* x, float* hidden,
              float* y) const;
  // On the caller's thread; x is overwritten. ahead: what it reads next.
  void RunExpert(const Mlp& expert, int64_t rows, float* x, float* hidden,
                 const float* ahead) const;
  void Route(const Layer& layer, int32_t* routes, int64_t route_row,
             Scratch* s) const;
  void RunRouted(const Layer& layer, Scratch* s) const;
  void RunExperts(const Layer& layer, int32_t* routes, int64_t route_row,
                  Scratch* s) const;
  // One layer, from what the sublayer before it left in s->y to what its own
  // last one leaves there. routes: of the layer, [B, K], rows route_row apart.
  void RunLayer(const DecodeBatch& batch, const Layer& layer, float* cache,
                int32_t* routes, Scratch* s) const;

  const ModelConfig& config_;
  const ModelWeights& weights_;
  const RopeTables& rope_;
  PackedMemory memory_;
  std::vector<Layer> layers_;
  PackedMatrix head_;
  Ahead ahead_;                 // Packed when first needed.
  std::unique_ptr<Team> team_;  // Of the last step's number of threads.
};

}  // namespace cohort
