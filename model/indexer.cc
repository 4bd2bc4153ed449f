#include "model/indexer.h"

#include <ATen/Parallel.h>
#include <torch/types.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "model/kernels/indexer.h"
#include "model/linear.h"
#include "model/ops.h"
#include "model/rope.h"

namespace cohort {
namespace {

IndexerSizes SizesOf(const ModelConfig& c) {
  return {.heads = c.index_n_heads,
          .width = c.index_head_dim,
          .topk = c.index_topk};
}

// x [N, heads, W] with its first P columns rotated.
at::Tensor RotateFront(const ModelConfig& c, const at::Tensor& x,
                       const RowFacts& rows) {
  const int64_t rope = c.qk_rope_head_dim;
  return at::cat({Rotate(x.narrow(2, 0, rope), rows.cos, rows.sin,
                         /*interleave=*/false),
                  x.narrow(2, rope, x.size(2) - rope)},
                 -1);
}

at::Tensor NormKeys(const at::Tensor& keys, const IndexerWeights& w) {
  if (RunsOnKernels(keys)) {
    at::Tensor normed = at::empty(keys.sizes(), keys.options());
    LayerNorm({.n = keys.size(0),
               .d = keys.size(1),
               .x = ConstData(keys),
               .x_row = keys.stride(0),
               .weight = ConstData(w.key_norm),
               .bias = ConstData(w.key_bias),
               .eps = kIndexerEps},
              Data(normed), keys.size(1));
    return normed;
  }
  const at::ScalarType wide = at::promote_types(keys.scalar_type(), at::kFloat);
  return at::layer_norm(keys.to(wide), {keys.size(1)}, w.key_norm.to(wide),
                        w.key_bias.to(wide), kIndexerEps)
      .to(keys.scalar_type());
}

// scores [n, T], -inf where not visible -> the best columns of each row.
at::Tensor BestTokens(const at::Tensor& scores, int64_t topk) {
  const int64_t count = std::min(topk, scores.size(1));
  const auto [values, order] =
      scores.sort(/*stable=*/true, /*dim=*/-1, /*descending=*/true);
  const at::Tensor best = order.narrow(1, 0, count);
  const at::Tensor hidden =
      values.narrow(1, 0, count) == -std::numeric_limits<double>::infinity();
  const at::Tensor ascending =
      std::get<0>(best.masked_fill(hidden, scores.size(1)).sort(/*dim=*/-1));
  return ascending.masked_fill(ascending == scores.size(1), -1).to(at::kInt);
}

// q [n, I, W] and gates [n, I] against keys [n or 1, T, W] -> [n, T].
at::Tensor ScoresAten(const at::Tensor& q, const at::Tensor& gates,
                      const at::Tensor& keys) {
  const at::ScalarType wide = gates.scalar_type();
  const at::Tensor products =
      q.to(wide).matmul(keys.to(wide).transpose(1, 2)).relu();  // [n, I, T]
  return gates.unsqueeze(1).matmul(products).squeeze(1);
}

at::Tensor SelectTokensAten(const ModelConfig& config, const IndexerRows& rows,
                            const std::vector<int64_t>& offsets,
                            int64_t columns) {
  std::vector<at::Tensor> parts;
  for (size_t s = 0; s + 1 < offsets.size(); ++s) {
    const int64_t begin = offsets[s];
    const int64_t count = offsets[s + 1] - begin;
    if (count == 0) continue;
    const at::Tensor earlier =
        at::ones({count, count}, rows.key.options().dtype(at::kBool)).tril();
    const at::Tensor scores =
        ScoresAten(rows.q.narrow(0, begin, count),
                   rows.gates.narrow(0, begin, count),
                   rows.key.narrow(0, begin, count).unsqueeze(0))
            .masked_fill(earlier.logical_not(),
                         -std::numeric_limits<double>::infinity());
    const at::Tensor best = BestTokens(scores, config.index_topk);
    parts.push_back(at::constant_pad_nd(best, {0, columns - best.size(1)}, -1));
  }
  return at::cat(parts);
}

}  // namespace

IndexerRows MakeIndexerRows(const ModelConfig& c, const IndexerWeights& w,
                            const at::Tensor& x, const at::Tensor& low,
                            const RowFacts& rows) {
  const at::NoGradGuard no_grad;
  const at::ScalarType wide = at::promote_types(x.scalar_type(), at::kFloat);
  const at::Tensor q =
      Linear(low, w.queries).view({-1, c.index_n_heads, c.index_head_dim});
  const at::Tensor key = NormKeys(Linear(x, w.key), w).unsqueeze(1);
  return {
      .q = RotateFront(c, q, rows),
      .key = RotateFront(c, key, rows).squeeze(1),
      .gates = Linear(x.to(wide), w.head_gates.to(wide)).mul(IndexerScale(c))};
}

double IndexerScale(const ModelConfig& config) {
  return 1 / std::sqrt(static_cast<double>(config.index_n_heads *
                                           config.index_head_dim));
}

at::Tensor SelectTokens(const ModelConfig& config, const IndexerRows& rows,
                        const std::vector<int64_t>& offsets) {
  const at::NoGradGuard no_grad;
  int64_t longest = 1;
  for (size_t s = 0; s + 1 < offsets.size(); ++s) {
    longest = std::max(longest, offsets[s + 1] - offsets[s]);
  }
  const int64_t columns = std::min(config.index_topk, longest);
  if (!RunsOnKernels(rows.q) || rows.q.size(0) == 0) {
    return SelectTokensAten(config, rows, offsets, columns);
  }
  const at::Tensor selected = at::empty({rows.q.size(0), columns}, at::kInt);
  const at::Tensor q = rows.q.contiguous();
  const at::Tensor gates = rows.gates.contiguous();
  const at::Tensor keys = rows.key.contiguous();
  SelectPacked({.sizes = SizesOf(config),
                .sequences = static_cast<int64_t>(offsets.size()) - 1,
                .offsets = offsets.data(),
                .q = ConstData(q),
                .gates = ConstData(gates),
                .keys = ConstData(keys),
                .threads = at::get_num_threads()},
               selected.mutable_data_ptr<int32_t>(), columns);
  return selected;
}

at::Tensor SelectCachedTokens(const ModelConfig& config,
                              const IndexerRows& rows,
                              const PagedContext& where) {
  const int64_t batch = rows.q.size(0);
  const int64_t width = config.index_head_dim;
  const at::Tensor keys =
      where.cache.index_select(0, where.block_tables.reshape(-1).to(at::kLong))
          .narrow(2, where.cache.size(2) - width, width)
          .reshape({batch, -1, width});  // [B, T, W]
  const at::Tensor hidden =
      at::arange(keys.size(1), where.context.options()).unsqueeze(0) >=
      where.context.unsqueeze(1);  // [B, T]
  return BestTokens(
      ScoresAten(rows.q, rows.gates, keys)
          .masked_fill(hidden, -std::numeric_limits<double>::infinity()),
      config.index_topk);
}

}  // namespace cohort
