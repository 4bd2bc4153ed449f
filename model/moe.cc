#include "model/moe.h"

#include <torch/types.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "model/linear.h"

namespace cohort {
namespace {

// The K best columns of each row in descending order, ties to the lower index
// (topk promises nothing about ties).
at::Tensor BestColumns(const at::Tensor& scores, int64_t count) {
  return std::get<1>(scores.sort(/*stable=*/true, /*dim=*/-1,
                                 /*descending=*/true))
      .narrow(-1, 0, count);
}

at::Tensor ChooseExperts(const at::Tensor& scores, const at::Tensor& bias,
                         const RouterSettings& settings) {
  const int64_t experts = scores.size(1);
  at::Tensor biased = scores + bias;  // [N, E]
  if (settings.groups > 1) {
    const int64_t width = experts / settings.groups;
    const at::Tensor by_group = biased.view({-1, settings.groups, width});
    const at::Tensor group_scores =
        std::get<0>(by_group.sort(-1, /*descending=*/true))
            .narrow(-1, 0, std::min<int64_t>(2, width))
            .sum(-1);  // [N, groups]
    const at::Tensor kept =
        at::zeros_like(group_scores, at::kBool)
            .scatter(1, BestColumns(group_scores, settings.groups_per_token),
                     true);
    biased = by_group
                 .masked_fill(kept.logical_not().unsqueeze(-1),
                              -std::numeric_limits<double>::infinity())
                 .view({-1, experts});
  }
  return std::get<0>(BestColumns(biased, settings.experts_per_token).sort(-1));
}

Routes RouteTokensAten(const at::Tensor& x, const at::Tensor& gate,
                       const at::Tensor& bias, const RouterSettings& settings,
                       const at::Tensor* forced) {
  const at::ScalarType wide = at::promote_types(x.scalar_type(), at::kFloat);
  const at::Tensor scores = Linear(x.to(wide), gate.to(wide)).sigmoid();
  const at::Tensor experts =
      forced != nullptr ? *forced
                        : ChooseExperts(scores.detach(), bias, settings);
  at::Tensor weights = scores.gather(1, experts);  // [N, K]
  if (settings.normalise) {
    weights = weights / (weights.sum(-1, /*keepdim=*/true) + 1e-20);
  }
  return {.experts = experts, .weights = weights * settings.scaling};
}

at::Tensor RunExpertsAten(const at::Tensor& x, const at::Tensor& experts,
                          const at::Tensor& weights, const at::Tensor& gate_up,
                          const at::Tensor& down) {
  const int64_t per_token = experts.size(1);
  const auto [sorted, order] =
      experts.reshape(-1).sort(/*stable=*/true, /*dim=*/0,
                               /*descending=*/false);
  const at::Tensor counts =
      at::bincount(sorted, {}, gate_up.size(0)).to(at::kCPU);  // [E]
  const at::Tensor rows =
      x.index_select(0, order.div(per_token, "floor"));  // [N K, D]
  std::vector<at::Tensor> parts;
  int64_t begin = 0;
  for (int64_t e = 0; e < gate_up.size(0); ++e) {
    const int64_t count = counts.const_data_ptr<int64_t>()[e];
    if (count == 0) continue;
    parts.push_back(RunMlp(rows.narrow(0, begin, count), gate_up[e], down[e]));
    begin += count;
  }
  if (parts.empty()) return at::zeros_like(x);
  const at::Tensor outputs = at::cat(parts)
                                 .index_select(0, order.argsort())
                                 .view({-1, per_token, x.size(1)});
  const at::Tensor weighted = outputs * weights.unsqueeze(-1);  // [N, K, D]
  at::Tensor sum = weighted.select(1, 0);
  for (int64_t j = 1; j < per_token; ++j) sum = sum + weighted.select(1, j);
  return sum.to(x.scalar_type());
}

at::Tensor RunMlpAten(const at::Tensor& x, const at::Tensor& gate_up,
                      const at::Tensor& down) {
  const auto halves = Linear(x, gate_up).chunk(2, -1);
  return Linear(at::silu(halves[0]) * halves[1], down);
}

}  // namespace

Routes RouteTokens(const at::Tensor& x, const at::Tensor& gate,
                   const at::Tensor& bias, const RouterSettings& settings,
                   const at::Tensor* forced) {
  const int64_t experts = gate.size(0);
  TORCH_CHECK(x.dim() == 2 && gate.dim() == 2 && x.size(1) == gate.size(1) &&
                  bias.dim() == 1 && bias.size(0) == experts,
              "RouteTokens: x ", x.sizes(), ", gate ", gate.sizes(), ", bias ",
              bias.sizes());
  TORCH_CHECK(settings.groups >= 1 && experts % settings.groups == 0 &&
                  settings.groups_per_token >= 1 &&
                  settings.groups_per_token <= settings.groups &&
                  settings.experts_per_token >= 1 &&
                  settings.experts_per_token <=
                      experts / settings.groups * settings.groups_per_token,
              "RouteTokens: ", settings.experts_per_token, " of ", experts,
              " experts in ", settings.groups_per_token, " of ",
              settings.groups, " groups");
  TORCH_CHECK(
      forced == nullptr || (forced->dim() == 2 && forced->size(0) == x.size(0)),
      "RouteTokens: forced routes of another batch");
  return RouteTokensAten(x, gate, bias, settings, forced);
}

at::Tensor RunExperts(const at::Tensor& x, const at::Tensor& experts,
                      const at::Tensor& weights, const at::Tensor& gate_up,
                      const at::Tensor& down) {
  TORCH_CHECK(
      x.dim() == 2 && experts.dim() == 2 && gate_up.dim() == 3 &&
          down.dim() == 3 && experts.sizes() == weights.sizes() &&
          experts.size(0) == x.size(0) && gate_up.size(0) == down.size(0) &&
          gate_up.size(1) == 2 * down.size(2) && gate_up.size(2) == x.size(1) &&
          down.size(1) == x.size(1),
      "RunExperts: x ", x.sizes(), ", experts ", experts.sizes(), ", weights ",
      weights.sizes(), ", gate_up ", gate_up.sizes(), ", down ", down.sizes());
  return RunExpertsAten(x, experts, weights, gate_up, down);
}

at::Tensor RunMlp(const at::Tensor& x, const at::Tensor& gate_up,
                  const at::Tensor& down) {
  TORCH_CHECK(gate_up.dim() == 2 && down.dim() == 2 &&
                  gate_up.size(0) == 2 * down.size(1),
              "RunMlp: gate_up ", gate_up.sizes(), ", down ", down.sizes());
  return RunMlpAten(x, gate_up, down);
}

}  // namespace cohort
