#include "model/logprob.h"

#include <torch/csrc/autograd/custom_function.h>
#include <torch/types.h>

#include <algorithm>
#include <vector>

#include "model/linear.h"

namespace cohort {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// Rows of logits held at once: 16 MB of float32.
int64_t ChunkRows(int64_t vocabulary) {
  return std::max<int64_t>(16, (int64_t{4} << 20) / vocabulary);
}

at::Tensor WideLogits(const at::Tensor& hidden, const at::Tensor& head,
                      double temperature) {
  const at::Tensor logits = Linear(hidden, head);
  return logits.to(at::promote_types(logits.scalar_type(), at::kFloat))
      .div_(temperature);
}

// Returns log-probabilities and entropy; keeps only the log of the sum of
// exponentials, so that the backward can make the logits again.
class LogprobFunction : public torch::autograd::Function<LogprobFunction> {
 public:
  static variable_list forward(AutogradContext* context,
                               const at::Tensor& hidden, const at::Tensor& head,
                               const at::Tensor& targets, double temperature) {
    const at::NoGradGuard no_grad;
    const int64_t step = ChunkRows(head.size(0));
    std::vector<at::Tensor> logprobs;
    std::vector<at::Tensor> entropies;
    std::vector<at::Tensor> log_sums;
    for (int64_t begin = 0; begin < std::max<int64_t>(hidden.size(0), 1);
         begin += step) {
      const int64_t rows = std::min(step, hidden.size(0) - begin);
      const at::Tensor logits =
          WideLogits(hidden.narrow(0, begin, rows), head, temperature);
      const at::Tensor log_sum = logits.logsumexp(-1);  // [rows]
      const at::Tensor all = logits - log_sum.unsqueeze(-1);
      logprobs.push_back(
          all.gather(1, targets.narrow(0, begin, rows).unsqueeze(1))
              .squeeze(1));
      entropies.push_back((all.exp() * all).sum(-1).neg());
      log_sums.push_back(log_sum);
    }
    context->save_for_backward({hidden, head, targets, at::cat(log_sums)});
    context->saved_data["temperature"] = temperature;
    const at::Tensor entropy = at::cat(entropies);
    context->mark_non_differentiable({entropy});
    return {at::cat(logprobs), entropy};
  }

  static variable_list backward(AutogradContext* context,
                                const variable_list& grads) {
    const auto saved = context->get_saved_variables();
    const at::Tensor& hidden = saved[0];
    const at::Tensor& head = saved[1];
    const double temperature = context->saved_data["temperature"].toDouble();
    const int64_t step = ChunkRows(head.size(0));
    at::Tensor to_hidden = at::empty_like(hidden);
    at::Tensor to_head = at::zeros_like(head);
    for (int64_t begin = 0; begin < hidden.size(0); begin += step) {
      const int64_t rows = std::min(step, hidden.size(0) - begin);
      const at::Tensor part = hidden.narrow(0, begin, rows);
      const at::Tensor grad = grads[0].narrow(0, begin, rows).unsqueeze(1);
      const at::Tensor log_sum = saved[3].narrow(0, begin, rows).unsqueeze(1);
      at::Tensor to_logits =
          WideLogits(part, head, temperature).sub_(log_sum).exp_().mul_(-grad);
      to_logits.scatter_add_(1, saved[2].narrow(0, begin, rows).unsqueeze(1),
                             grad);
      to_logits = to_logits.div_(temperature).to(hidden.scalar_type());
      to_hidden.narrow(0, begin, rows).copy_(to_logits.mm(head));
      to_head.add_(to_logits.t().mm(part));
    }
    return {to_hidden, to_head, {}, {}};
  }
};

}  // namespace

TokenLogprobs LogprobsOfTokens(const at::Tensor& hidden, const at::Tensor& head,
                               const at::Tensor& targets, double temperature) {
  TORCH_CHECK(hidden.dim() == 2 && head.dim() == 2 &&
                  hidden.size(1) == head.size(1) && targets.dim() == 1 &&
                  targets.size(0) == hidden.size(0) && temperature > 0,
              "LogprobsOfTokens: hidden ", hidden.sizes(), ", head ",
              head.sizes(), ", targets ", targets.sizes(), ", temperature ",
              temperature);
  const variable_list out =
      LogprobFunction::apply(hidden, head, targets, temperature);
  return {.logprobs = out[0], .entropy = out[1]};
}

}  // namespace cohort
