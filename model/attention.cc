#include "model/attention.h"

#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/types.h>

#include <algorithm>
#include <limits>
#include <optional>

#include "model/kernels/attention.h"
#include "model/kernels/paged_attention.h"
#include "model/ops.h"

namespace cohort {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// `selected` may be undefined.
AttentionParams ParamsOf(const at::Tensor& q, const at::Tensor& k,
                         const at::Tensor& v,
                         const std::vector<int64_t>& offsets, double scale,
                         const at::Tensor& selected) {
  const bool all = !selected.defined();
  return {.sequences = static_cast<int64_t>(offsets.size()) - 1,
          .heads = q.size(1),
          .kv_heads = k.size(1),
          .dq = q.size(2),
          .dv = v.size(2),
          .offsets = offsets.data(),
          .q = ConstData(q),
          .k = ConstData(k),
          .v = ConstData(v),
          .selected = all ? nullptr : selected.const_data_ptr<int32_t>(),
          .selected_row = all ? 0 : selected.size(1),
          .scale = static_cast<float>(scale),
          .threads = at::get_num_threads()};
}

class PackedAttentionFunction
    : public torch::autograd::Function<PackedAttentionFunction> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& q,
                            const at::Tensor& k, const at::Tensor& v,
                            const std::vector<int64_t>& offsets, double scale,
                            const std::optional<at::Tensor>& chosen) {
    const at::Tensor selected = chosen.value_or(at::Tensor());
    at::Tensor out = at::empty({q.size(0), q.size(1), v.size(2)}, v.options());
    at::Tensor log_sum = at::empty({q.size(0), q.size(1)}, v.options());
    AttentionForward(ParamsOf(q, k, v, offsets, scale, selected), Data(out),
                     Data(log_sum));
    context->save_for_backward({q, k, v, out, log_sum, selected});
    context->saved_data["offsets"] = offsets;
    context->saved_data["scale"] = scale;
    return out;
  }

  static variable_list backward(AutogradContext* context,
                                const variable_list& grads) {
    const auto saved = context->get_saved_variables();
    const std::vector<int64_t> offsets =
        context->saved_data["offsets"].toIntVector();
    const double scale = context->saved_data["scale"].toDouble();
    const at::Tensor grad = grads[0].contiguous();
    at::Tensor to_q = at::empty_like(saved[0]);
    at::Tensor to_k = at::empty_like(saved[1]);
    at::Tensor to_v = at::empty_like(saved[2]);
    AttentionBackward(
        ParamsOf(saved[0], saved[1], saved[2], offsets, scale, saved[5]),
        {.out = ConstData(saved[3]),
         .log_sum = ConstData(saved[4]),
         .grad = ConstData(grad),
         .to_q = Data(to_q),
         .to_k = Data(to_k),
         .to_v = Data(to_v)});
    return {to_q, to_k, to_v, {}, {}, {}};
  }
};

// The kernel reads memory by these numbers.
void CheckBlocks(const PagedContext& where) {
  const int64_t block_tokens = where.cache.size(1);
  for (int64_t b = 0; b < where.context.size(0); ++b) {
    const int64_t tokens = where.context.const_data_ptr<int32_t>()[b];
    TORCH_CHECK_INDEX(
        tokens >= 1 && tokens <= where.block_tables.size(1) * block_tokens,
        "PagedAttention: row ", b, " sees ", tokens, " tokens of ",
        where.block_tables.size(1) * block_tokens);
    const int32_t* const blocks = where.block_tables.const_data_ptr<int32_t>() +
                                  b * where.block_tables.stride(0);
    for (int64_t j = 0; j * block_tokens < tokens; ++j) {
      TORCH_CHECK_INDEX(blocks[j] >= 0 && blocks[j] < where.cache.size(0),
                        "PagedAttention: row ", b, " lies in block ", blocks[j],
                        " of ", where.cache.size(0));
    }
  }
}

// Rows of `selected` must name tokens below `visible(row)`.
template <class Visible>
void CheckSelected(const at::Tensor& selected, const Visible& visible) {
  for (int64_t n = 0; n < selected.size(0); ++n) {
    const int32_t* const row =
        selected.const_data_ptr<int32_t>() + n * selected.size(1);
    const int64_t end = visible(n);
    for (int64_t i = 0; i < selected.size(1) && row[i] >= 0; ++i) {
      TORCH_CHECK_INDEX(row[i] < end && (i == 0 || row[i] > row[i - 1]), "row ",
                        n, " selects token ", row[i], " of ", end);
    }
    TORCH_CHECK_INDEX(selected.size(1) > 0 && row[0] >= 0, "row ", n,
                      " selects no token");
  }
}

void CheckPackedSelection(const at::Tensor& selected,
                          const std::vector<int64_t>& offsets) {
  size_t s = 0;
  CheckSelected(selected, [&](int64_t n) {
    while (n >= offsets[s + 1]) ++s;
    return n - offsets[s] + 1;
  });
}

at::Tensor PagedAttentionCpu(const at::Tensor& q, const PagedContext& where,
                             const PagedLayout& layout, double scale) {
  const bool all = !where.selected.defined();
  at::Tensor out =
      at::empty({q.size(0), q.size(1), layout.value_width}, q.options());
  PagedAttention(
      {.batch = q.size(0),
       .heads = q.size(1),
       .kv_heads = layout.kv_heads,
       .key_width = layout.key_width,
       .value_width = layout.value_width,
       .value_at = layout.value_at,
       .q = ConstData(q),
       .cache = ConstData(where.cache),
       .row = where.cache.size(2),
       .block_tokens = where.cache.size(1),
       .tables = where.block_tables.const_data_ptr<int32_t>(),
       .table_row = where.block_tables.stride(0),
       .context = where.context.const_data_ptr<int32_t>(),
       .selected = all ? nullptr : where.selected.const_data_ptr<int32_t>(),
       .selected_row = all ? 0 : where.selected.size(1),
       .scale = static_cast<float>(scale),
       .threads = at::get_num_threads()},
      Data(out));
  return out;
}

// Rows of packed sequences laid out as [S, longest]; places past a sequence's
// end repeat row 0. Causal masking keeps them out of every real row.
at::Tensor PaddedRows(const std::vector<int64_t>& offsets, at::Device device) {
  const int64_t count = static_cast<int64_t>(offsets.size()) - 1;
  int64_t longest = 0;
  for (int64_t s = 0; s < count; ++s) {
    longest = std::max(longest, offsets[s + 1] - offsets[s]);
  }
  const at::Tensor rows = at::zeros({count, longest}, at::kLong);
  auto at_row = rows.accessor<int64_t, 2>();
  for (int64_t s = 0; s < count; ++s) {
    for (int64_t t = 0; t < offsets[s + 1] - offsets[s]; ++t) {
      at_row[s][t] = offsets[s] + t;
    }
  }
  return rows.to(device);
}

// Where row n of the packed batch lies in the flattened [S, longest].
at::Tensor PlacesOfRows(const std::vector<int64_t>& offsets, int64_t longest,
                        at::Device device) {
  const at::Tensor places = at::empty({offsets.back()}, at::kLong);
  int64_t* const place = places.mutable_data_ptr<int64_t>();
  for (size_t s = 0; s + 1 < offsets.size(); ++s) {
    for (int64_t n = offsets[s]; n < offsets[s + 1]; ++n) {
      place[n] = static_cast<int64_t>(s) * longest + n - offsets[s];
    }
  }
  return places.to(device);
}

// [N, C] places, -1 past the last -> [N, width] true at the places.
at::Tensor PlacesToMask(const at::Tensor& selected, int64_t width) {
  // Column 0 collects the -1s.
  return at::zeros({selected.size(0), width + 1},
                   selected.options().dtype(at::kBool))
      .scatter(1, selected.to(at::kLong) + 1, true)
      .narrow(1, 1, width);
}

// x [..., G, ...] at `dim`, each kv head repeated for the heads that share it.
at::Tensor RepeatHeads(const at::Tensor& x, int64_t dim, int64_t heads) {
  return x.size(dim) == heads ? x
                              : x.repeat_interleave(heads / x.size(dim), dim);
}

at::Tensor PackedAttentionAten(const at::Tensor& q, const at::Tensor& k,
                               const at::Tensor& v,
                               const std::vector<int64_t>& offsets,
                               double scale, const at::Tensor& selected) {
  const int64_t heads = q.size(1);
  if (q.size(0) == 0) return at::zeros({0, heads, v.size(2)}, v.options());
  const at::Tensor rows = PaddedRows(offsets, q.device());  // [S, T]
  const int64_t count = rows.size(0);
  const int64_t longest = rows.size(1);
  const auto pad = [&](const at::Tensor& packed) {  // -> [S, H, T, d]
    return RepeatHeads(packed, 1, heads)
        .index_select(0, rows.view(-1))
        .view({count, longest, heads, packed.size(2)})
        .transpose(1, 2);
  };
  std::optional<at::Tensor> mask;  // [S, 1, T, T]
  if (selected.defined()) {
    mask = PlacesToMask(selected, longest)
               .index_select(0, rows.view(-1))
               .view({count, 1, longest, longest});
  }
  const at::Tensor padded = at::scaled_dot_product_attention(
      pad(q), pad(k), pad(v), mask, /*dropout_p=*/0.0,
      /*is_causal=*/!mask.has_value(), scale);  // [S, H, T, dv]
  return padded.transpose(1, 2)
      .reshape({count * longest, heads, v.size(2)})
      .index_select(0, PlacesOfRows(offsets, longest, q.device()));
}

at::Tensor PagedAttentionAten(const at::Tensor& q, const PagedContext& where,
                              const PagedLayout& layout, double scale) {
  const int64_t batch = q.size(0);
  const int64_t heads = q.size(1);
  const at::ScalarType wide = at::promote_types(q.scalar_type(), at::kFloat);
  const at::Tensor rows =
      where.cache.index_select(0, where.block_tables.reshape(-1).to(at::kLong))
          .reshape({batch, -1, where.cache.size(2)})
          .to(q.scalar_type());  // [B, T, W]
  const int64_t tokens = rows.size(1);
  at::Tensor hidden =
      at::arange(tokens, where.context.options()).unsqueeze(0) >=
      where.context.unsqueeze(1);  // [B, T]
  if (where.selected.defined()) {
    hidden =
        hidden.logical_or(PlacesToMask(where.selected, tokens).logical_not());
  }
  // -> [B, H, T, width]
  const auto part = [&](int64_t at, int64_t width) {
    return RepeatHeads(rows.narrow(2, at, layout.kv_heads * width)
                           .reshape({batch, tokens, layout.kv_heads, width})
                           .transpose(1, 2),
                       1, heads);
  };
  const at::Tensor scores =
      q.unsqueeze(2)
          .matmul(part(0, layout.key_width).transpose(2, 3))
          .to(wide)
          .mul(scale)
          .masked_fill(
              hidden.view({batch, 1, 1, tokens}),
              -std::numeric_limits<double>::infinity());  // [B, H, 1, T]
  // A block past the context may hold anything, NaN too: its weight is zero,
  // but zero times NaN is not.
  const at::Tensor values =
      part(layout.value_at, layout.value_width)
          .masked_fill(hidden.view({batch, 1, tokens, 1}), 0);
  return scores.softmax(-1).to(q.scalar_type()).matmul(values).squeeze(2);
}

}  // namespace

at::Tensor PackedAttention(const at::Tensor& q, const at::Tensor& k,
                           const at::Tensor& v,
                           const std::vector<int64_t>& offsets, double scale,
                           const at::Tensor& selected) {
  TORCH_CHECK(
      q.dim() == 3 && k.dim() == 3 && v.dim() == 3 && k.size(0) == q.size(0) &&
          v.size(0) == q.size(0) && k.size(2) == q.size(2) &&
          k.size(1) == v.size(1) && k.size(1) > 0 && q.size(1) % k.size(1) == 0,
      "PackedAttention: q ", q.sizes(), ", k ", k.sizes(), ", v ", v.sizes());
  TORCH_CHECK(!offsets.empty() && offsets.front() == 0 &&
                  offsets.back() == q.size(0) &&
                  std::is_sorted(offsets.begin(), offsets.end()),
              "PackedAttention: offsets must rise from 0 to ", q.size(0));
  TORCH_CHECK(scale > 0, "PackedAttention: scale ", scale);
  TORCH_CHECK(!selected.defined() ||
                  (selected.dim() == 2 && selected.size(0) == q.size(0) &&
                   selected.scalar_type() == at::kInt),
              "PackedAttention: selected must be [", q.size(0), ", C] int32");
  if (q.size(0) == 0 || !RunsOnKernels(q)) {
    return PackedAttentionAten(q, k, v, offsets, scale, selected);
  }
  const at::Tensor dense_q = q.contiguous();
  const at::Tensor dense_k = k.contiguous();
  const at::Tensor dense_v = v.contiguous();
  at::Tensor dense_selected;
  if (selected.defined()) {
    dense_selected = selected.contiguous();
    CheckPackedSelection(dense_selected, offsets);
  }
  if (NeedsGraph(q, k) || NeedsGraph(v, v)) {
    return PackedAttentionFunction::apply(
        dense_q, dense_k, dense_v, offsets, scale,
        selected.defined() ? std::optional<at::Tensor>(dense_selected)
                           : std::nullopt);
  }
  at::Tensor out = at::empty({q.size(0), q.size(1), v.size(2)}, v.options());
  AttentionForward(
      ParamsOf(dense_q, dense_k, dense_v, offsets, scale, dense_selected),
      Data(out), nullptr);
  return out;
}

at::Tensor PagedAttention(const at::Tensor& q, const PagedContext& where,
                          const PagedLayout& layout, double scale) {
  TORCH_CHECK(q.dim() == 3 && q.size(2) == layout.key_width &&
                  layout.kv_heads > 0 && q.size(1) % layout.kv_heads == 0,
              "PagedAttention: q ", q.sizes(), ", ", layout.kv_heads,
              " kv heads of ", layout.key_width);
  TORCH_CHECK(where.cache.dim() == 3 &&
                  where.cache.size(2) >= layout.kv_heads * layout.key_width &&
                  where.cache.size(2) >=
                      layout.value_at + layout.kv_heads * layout.value_width,
              "PagedAttention: cache ", where.cache.sizes(),
              " has no room for ", layout.kv_heads, " kv heads");
  TORCH_CHECK(where.block_tables.dim() == 2 && where.context.dim() == 1 &&
                  where.block_tables.size(0) == q.size(0) &&
                  where.context.size(0) == q.size(0),
              "PagedAttention: block_tables ", where.block_tables.sizes(),
              ", context ", where.context.sizes());
  TORCH_CHECK(scale > 0, "PagedAttention: scale ", scale);
  if (!RunsOnKernels(q)) return PagedAttentionAten(q, where, layout, scale);
  TORCH_CHECK(where.cache.is_contiguous() &&
                  where.cache.scalar_type() == at::kFloat &&
                  where.block_tables.stride(1) == 1 &&
                  where.block_tables.scalar_type() == at::kInt &&
                  where.context.is_contiguous() &&
                  where.context.scalar_type() == at::kInt,
              "PagedAttention: float32 cache, int32 block_tables and context, "
              "contiguous");
  CheckBlocks(where);
  if (where.selected.defined()) {
    TORCH_CHECK(where.selected.is_contiguous() && where.selected.dim() == 2 &&
                    where.selected.size(0) == q.size(0) &&
                    where.selected.scalar_type() == at::kInt,
                "PagedAttention: selected must be int32, contiguous");
    CheckSelected(where.selected, [&](int64_t b) {
      return int64_t{where.context.const_data_ptr<int32_t>()[b]};
    });
  }
  return PagedAttentionCpu(q.contiguous(), where, layout, scale);
}

}  // namespace cohort
