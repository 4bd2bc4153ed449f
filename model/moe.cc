#include "model/moe.h"

#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/types.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <vector>

#include "model/kernels/experts.h"
#include "model/kernels/gemm.h"
#include "model/kernels/linear_rows.h"
#include "model/kernels/router.h"
#include "model/linear.h"
#include "model/ops.h"

namespace cohort {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

RouterParams ParamsOf(const RouterSettings& settings, int64_t tokens,
                      int64_t experts) {
  return {.n = tokens,
          .experts = experts,
          .per_token = settings.experts_per_token,
          .groups = settings.groups,
          .groups_per_token = settings.groups_per_token,
          .group_best = settings.group_best,
          .softmax = settings.softmax,
          .normalise = settings.normalise,
          .scaling = static_cast<float>(settings.scaling)};
}

// Weights of the chosen experts, from the router's logits [N, E]. The forward
// pass has turned those into scores already.
class RouteWeightsFunction
    : public torch::autograd::Function<RouteWeightsFunction> {
 public:
  static at::Tensor forward(AutogradContext* context,
                            const at::Tensor& /*logits*/,
                            const at::Tensor& scores, const at::Tensor& experts,
                            const RouterSettings& settings) {
    context->save_for_backward({scores, experts});
    context->saved_data["softmax"] = settings.softmax;
    context->saved_data["normalise"] = settings.normalise;
    context->saved_data["scaling"] = settings.scaling;
    return Weigh(scores, experts, settings);
  }

  static at::Tensor Weigh(const at::Tensor& scores, const at::Tensor& experts,
                          const RouterSettings& settings) {
    at::Tensor weights = at::empty(experts.sizes(), scores.options());
    RouteWeights(ParamsOf(settings, scores.size(0), scores.size(1)),
                 ConstData(scores), experts.const_data_ptr<int64_t>(),
                 Data(weights));
    return weights;
  }

  static variable_list backward(AutogradContext* context,
                                const variable_list& grads) {
    const auto saved = context->get_saved_variables();
    const at::Tensor grad = grads[0].contiguous();
    RouterSettings settings;
    settings.experts_per_token = saved[1].size(1);
    settings.softmax = context->saved_data["softmax"].toBool();
    settings.normalise = context->saved_data["normalise"].toBool();
    settings.scaling = context->saved_data["scaling"].toDouble();
    at::Tensor to_logits = at::empty_like(saved[0]);
    RouteWeightsBackward(ParamsOf(settings, saved[0].size(0), saved[0].size(1)),
                         ConstData(saved[0]),
                         saved[1].const_data_ptr<int64_t>(), ConstData(grad),
                         Data(to_logits));
    return {to_logits, {}, {}, {}};
  }
};

Routes RouteTokensCpu(const at::Tensor& x, const at::Tensor& gate,
                      const at::Tensor& bias, const RouterSettings& settings,
                      const at::Tensor* forced) {
  const RouterParams params = ParamsOf(settings, x.size(0), gate.size(0));
  const at::Tensor logits = Linear(x, gate);  // [N, E]
  at::Tensor scores = logits.detach().clone();
  ScoreExperts(params, Data(scores));
  at::Tensor experts;
  if (forced != nullptr) {
    experts = forced->contiguous();
    CheckIndices(experts, gate.size(0), "RouteTokens: forced expert");
  } else {
    experts = at::empty({x.size(0), settings.experts_per_token}, at::kLong);
    ChooseExperts(params, ConstData(scores),
                  bias.defined() ? ConstData(bias) : nullptr,
                  experts.mutable_data_ptr<int64_t>());
  }
  const at::Tensor weights =
      logits.requires_grad()
          ? RouteWeightsFunction::apply(logits, scores, experts, settings)
          : RouteWeightsFunction::Weigh(scores, experts, settings);
  return {.experts = experts, .weights = weights};
}

// `experts` and `weights` are undefined for a dense MLP.
ExpertsParams ParamsOf(const at::Tensor& x, const at::Tensor& experts,
                       const at::Tensor& weights, const at::Tensor& gate_up,
                       const at::Tensor& down) {
  const bool dense = !experts.defined();
  return {.n = x.size(0),
          .k = dense ? 1 : experts.size(1),
          .e = dense ? 1 : gate_up.size(0),
          .d = x.size(1),
          .i = down.size(-1),
          .x = ConstData(x),
          .experts = dense ? nullptr : experts.const_data_ptr<int64_t>(),
          .weights = dense ? nullptr : ConstData(weights),
          .gate_up = ConstData(gate_up),
          .down = ConstData(down),
          .threads = at::get_num_threads()};
}

class ExpertsFunction : public torch::autograd::Function<ExpertsFunction> {
 public:
  // A dense MLP has no experts and no weights.
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x,
                            const std::optional<at::Tensor>& chosen,
                            const std::optional<at::Tensor>& factors,
                            const at::Tensor& gate_up, const at::Tensor& down) {
    const at::Tensor experts = chosen.value_or(at::Tensor());
    const at::Tensor weights = factors.value_or(at::Tensor());
    const ExpertsParams params = ParamsOf(x, experts, weights, gate_up, down);
    at::Tensor hidden =
        at::empty({params.n * params.k, 2 * params.i}, x.options());
    at::Tensor out = at::empty(x.sizes(), x.options());
    ExpertsForward(params, Data(out), Data(hidden));
    context->save_for_backward({x, experts, weights, gate_up, down, hidden});
    return out;
  }

  static variable_list backward(AutogradContext* context,
                                const variable_list& grads) {
    const auto saved = context->get_saved_variables();
    const at::Tensor grad = grads[0].contiguous();
    at::Tensor to_x = at::empty_like(saved[0]);
    at::Tensor to_weights;
    if (saved[2].defined()) to_weights = at::empty_like(saved[2]);
    at::Tensor to_gate_up = at::empty_like(saved[3]);
    at::Tensor to_down = at::empty_like(saved[4]);
    ExpertsBackward(
        ParamsOf(saved[0], saved[1], saved[2], saved[3], saved[4]),
        {.hidden = ConstData(saved[5]),
         .grad = ConstData(grad),
         .to_x = Data(to_x),
         .to_weights = to_weights.defined() ? Data(to_weights) : nullptr,
         .to_gate_up = Data(to_gate_up),
         .to_down = Data(to_down)});
    return {to_x, {}, to_weights, to_gate_up, to_down};
  }
};

at::Tensor ExpertsCpu(const at::Tensor& x, const at::Tensor& experts,
                      const at::Tensor& weights, const at::Tensor& gate_up,
                      const at::Tensor& down) {
  if (NeedsGraph(x, gate_up) || NeedsGraph(down, weights)) {
    using Given = std::optional<at::Tensor>;
    return ExpertsFunction::apply(
        x, experts.defined() ? Given(experts) : std::nullopt,
        weights.defined() ? Given(weights) : std::nullopt, gate_up, down);
  }
  at::Tensor out = at::empty(x.sizes(), x.options());
  ExpertsForward(ParamsOf(x, experts, weights, gate_up, down), Data(out),
                 nullptr);
  return out;
}

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
  at::Tensor biased = bias.defined() ? scores + bias : scores;  // [N, E]
  if (settings.groups > 1) {
    const int64_t width = experts / settings.groups;
    const at::Tensor by_group = biased.view({-1, settings.groups, width});
    const at::Tensor group_scores =
        std::get<0>(by_group.sort(-1, /*descending=*/true))
            .narrow(-1, 0, std::min(settings.group_best, width))
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
  const at::Tensor logits = Linear(x.to(wide), gate.to(wide));
  const at::Tensor scores =
      settings.softmax ? logits.softmax(-1) : logits.sigmoid();
  const at::Tensor experts =
      forced != nullptr ? *forced
                        : ChooseExperts(scores.detach(), bias, settings);
  at::Tensor weights = scores.gather(1, experts);  // [N, K]
  if (settings.normalise) {
    weights = weights / (weights.sum(-1, /*keepdim=*/true) + 1e-20);
  }
  return {.experts = experts, .weights = weights * settings.scaling};
}

at::Tensor RunMlpAten(const at::Tensor& x, const at::Tensor& gate_up,
                      const at::Tensor& down) {
  const auto halves = Linear(x, gate_up).chunk(2, -1);
  return Linear(at::silu(halves[0]) * halves[1], down);
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
    parts.push_back(
        RunMlpAten(rows.narrow(0, begin, count), gate_up[e], down[e]));
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

}  // namespace

Routes RouteTokens(const at::Tensor& x, const at::Tensor& gate,
                   const at::Tensor& bias, const RouterSettings& settings,
                   const at::Tensor* forced) {
  const int64_t experts = gate.size(0);
  TORCH_CHECK(
      x.dim() == 2 && gate.dim() == 2 && x.size(1) == gate.size(1) &&
          (!bias.defined() || (bias.dim() == 1 && bias.size(0) == experts)),
      "RouteTokens: x ", x.sizes(), ", gate ", gate.sizes(), ", bias ",
      bias.defined() ? bias.sizes() : at::IntArrayRef());
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
  if (!RunsOnKernels(x)) {
    return RouteTokensAten(x, gate, bias, settings, forced);
  }
  return RouteTokensCpu(x, gate,
                        bias.defined() ? bias.contiguous() : at::Tensor(),
                        settings, forced);
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
  if (!RunsOnKernels(x)) {
    return RunExpertsAten(x, experts, weights, gate_up, down);
  }
  const at::Tensor chosen = experts.contiguous();
  CheckIndices(chosen, gate_up.size(0), "RunExperts: expert");
  return ExpertsCpu(x.contiguous(), chosen, weights.contiguous(),
                    gate_up.contiguous(), down.contiguous());
}

at::Tensor RunMlp(const at::Tensor& x, const at::Tensor& gate_up,
                  const at::Tensor& down) {
  TORCH_CHECK(gate_up.dim() == 2 && down.dim() == 2 &&
                  gate_up.size(0) == 2 * down.size(1),
              "RunMlp: gate_up ", gate_up.sizes(), ", down ", down.sizes());
  TORCH_CHECK(
      x.dim() == 2 && x.size(1) == gate_up.size(1) && x.size(1) == down.size(0),
      "RunMlp: x ", x.sizes(), ", gate_up ", gate_up.sizes());
  if (!RunsOnKernels(x)) return RunMlpAten(x, gate_up, down);
  return ExpertsCpu(x.contiguous(), {}, {}, gate_up.contiguous(),
                    down.contiguous());
}

}  // namespace cohort
