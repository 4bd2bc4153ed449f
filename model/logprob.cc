#include "model/logprob.h"

#include <ATen/Parallel.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/types.h>

#include <algorithm>

#include "model/kernels/cuda_entry.h"
#include "model/kernels/parallel.h"
#include "model/kernels/token_logprob.h"
#include "model/linear.h"
#include "model/ops.h"

namespace cohort {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// Rows of logits held at once: at most 4 MB of float32 on the CPU, so that they
// stay near the caches, and 256 MB elsewhere.
int64_t ChunkRows(const at::Tensor& hidden, int64_t vocabulary) {
  const int64_t values = int64_t{1} << (hidden.is_cpu() ? 20 : 26);
  return std::max<int64_t>(16, values / vocabulary);
}

// What the backward needs of one chunk of rows.
struct Chunk {
  at::Tensor hidden;   // [rows, D]
  at::Tensor targets;  // [rows]
  at::Tensor log_sum;  // [rows], of the logits' exponentials
};

struct Outputs {
  at::Tensor logprobs;  // [M]
  at::Tensor entropy;   // [M]
  at::Tensor log_sum;   // [M]
};

void LogprobsCpu(const at::Tensor& logits, const at::Tensor& targets,
                 double temperature, int64_t begin, Outputs* out) {
  const float* const from = ConstData(logits);
  const int64_t v = logits.size(1);
  ForRanges(logits.size(0), static_cast<double>(4 * v), at::get_num_threads(),
            [&](int64_t first, int64_t last) {
              TokenLogprobCpu(
                  {.logits = from + first * v,
                   .target = targets.const_data_ptr<int64_t>() + first,
                   .out = Data(out->logprobs) + begin + first,
                   .entropy = Data(out->entropy) + begin + first,
                   .log_sum = Data(out->log_sum) + begin + first,
                   .n = last - first,
                   .v = v,
                   .inv_temperature = static_cast<float>(1 / temperature)});
            });
}

void LogprobsAten(const at::Tensor& logits, const at::Tensor& targets,
                  double temperature, int64_t begin, Outputs* out) {
  const at::Tensor scaled =
      logits.to(out->logprobs.scalar_type()) / temperature;
  const at::Tensor log_sum = scaled.logsumexp(-1);  // [rows]
  const at::Tensor all = scaled - log_sum.unsqueeze(-1);
  const auto put = [&](const at::Tensor& to, const at::Tensor& from) {
    to.narrow(0, begin, from.size(0)).copy_(from);
  };
  put(out->logprobs, all.gather(1, targets.unsqueeze(1)).squeeze(1));
  // p log p is zero where p is, also where log p is -inf.
  put(out->entropy, at::xlogy(all.exp(), all.exp()).sum(-1).neg());
  put(out->log_sum, log_sum);
}

// False where no such kernel is loaded.
bool LogprobsCuda(const at::Tensor& logits, const at::Tensor& targets,
                  double temperature, int64_t begin, Outputs* out) {
  const CudaKernels* const kernels = LoadedCudaKernels();
  const at::ScalarType type = logits.scalar_type();
  if (kernels == nullptr || (type != at::kFloat && type != at::kBFloat16)) {
    return false;
  }
  const TokenLogprobParams params = {
      .logits = logits.const_data_ptr(),
      .target = targets.const_data_ptr<int64_t>(),
      .out = Data(out->logprobs) + begin,
      .entropy = Data(out->entropy) + begin,
      .log_sum = Data(out->log_sum) + begin,
      .n = logits.size(0),
      .v = logits.size(1),
      .inv_temperature = static_cast<float>(1 / temperature)};
  const c10::impl::VirtualGuardImpl guard(logits.device().type());
  void* const stream = guard.getStream(logits.device()).native_handle();
  const int error = type == at::kFloat
                        ? kernels->token_logprob_float(params, stream)
                        : kernels->token_logprob_bfloat16(params, stream);
  TORCH_CHECK(error == 0, "token_logprob: CUDA error ", error);
  return true;
}

// Logits become the gradient with respect to them.
at::Tensor ToLogitsCpu(at::Tensor logits, const Chunk& chunk,
                       const at::Tensor& grad, double temperature) {
  const int64_t v = logits.size(1);
  float* const data = Data(logits);
  ForRanges(logits.size(0), static_cast<double>(3 * v), at::get_num_threads(),
            [&](int64_t first, int64_t last) {
              TokenLogprobBackwardCpu(
                  {.logits = data + first * v,
                   .target = chunk.targets.const_data_ptr<int64_t>() + first,
                   .log_sum = ConstData(chunk.log_sum) + first,
                   .grad = ConstData(grad) + first,
                   .n = last - first,
                   .v = v,
                   .inv_temperature = static_cast<float>(1 / temperature)});
            });
  return logits;
}

at::Tensor ToLogitsAten(const at::Tensor& logits, const Chunk& chunk,
                        const at::Tensor& grad, double temperature) {
  const at::Tensor share =
      (logits.to(grad.scalar_type()) / temperature - chunk.log_sum.unsqueeze(1))
          .exp_()
          .mul_(-grad.unsqueeze(1));
  share.scatter_add_(1, chunk.targets.unsqueeze(1), grad.unsqueeze(1));
  return share.div_(temperature).to(logits.scalar_type());
}

Outputs ComputeLogprobs(const at::Tensor& hidden, const at::Tensor& head,
                        const at::Tensor& targets, double temperature) {
  const at::NoGradGuard no_grad;
  const auto options = hidden.options().dtype(
      at::promote_types(hidden.scalar_type(), at::kFloat));
  Outputs out = {.logprobs = at::empty({hidden.size(0)}, options),
                 .entropy = at::empty({hidden.size(0)}, options),
                 .log_sum = at::empty({hidden.size(0)}, options)};
  const int64_t step = ChunkRows(hidden, head.size(0));
  for (int64_t begin = 0; begin < hidden.size(0); begin += step) {
    const int64_t rows = std::min(step, hidden.size(0) - begin);
    const at::Tensor logits = Linear(hidden.narrow(0, begin, rows), head);
    const at::Tensor chosen = targets.narrow(0, begin, rows);
    if (RunsOnKernels(logits)) {
      LogprobsCpu(logits, chosen, temperature, begin, &out);
    } else if (!logits.is_cuda() ||
               !LogprobsCuda(logits, chosen, temperature, begin, &out)) {
      LogprobsAten(logits, chosen, temperature, begin, &out);
    }
  }
  return out;
}

// Keeps only the log of each row's sum of exponentials; the backward makes the
// logits again.
class LogprobFunction : public torch::autograd::Function<LogprobFunction> {
 public:
  static variable_list forward(AutogradContext* context,
                               const at::Tensor& hidden, const at::Tensor& head,
                               const at::Tensor& targets, double temperature) {
    const Outputs out = ComputeLogprobs(hidden, head, targets, temperature);
    context->save_for_backward({hidden, head, targets, out.log_sum});
    context->saved_data["temperature"] = temperature;
    context->mark_non_differentiable({out.entropy});
    return {out.logprobs, out.entropy};
  }

  static variable_list backward(AutogradContext* context,
                                const variable_list& grads) {
    const auto saved = context->get_saved_variables();
    const at::Tensor& hidden = saved[0];
    const at::Tensor& head = saved[1];
    const double temperature = context->saved_data["temperature"].toDouble();
    const int64_t step = ChunkRows(hidden, head.size(0));
    const at::Tensor grad = grads[0].contiguous();
    const at::Tensor to_hidden = at::empty(hidden.sizes(), hidden.options());
    const at::Tensor to_head = at::zeros(head.sizes(), head.options());
    for (int64_t begin = 0; begin < hidden.size(0); begin += step) {
      const int64_t rows = std::min(step, hidden.size(0) - begin);
      const Chunk chunk = {.hidden = hidden.narrow(0, begin, rows),
                           .targets = saved[2].narrow(0, begin, rows),
                           .log_sum = saved[3].narrow(0, begin, rows)};
      AddChunk(chunk, head, grad.narrow(0, begin, rows), temperature,
               to_hidden.narrow(0, begin, rows), to_head);
    }
    return {to_hidden, to_head, {}, {}};
  }

 private:
  static void AddChunk(const Chunk& chunk, const at::Tensor& head,
                       const at::Tensor& grad, double temperature,
                       const at::Tensor& to_hidden, const at::Tensor& to_head) {
    const at::Tensor logits = Linear(chunk.hidden, head);
    if (RunsOnKernels(logits)) {
      const at::Tensor slope = ToLogitsCpu(logits, chunk, grad, temperature);
      MatMulInto(slope, head, /*accumulate=*/false, to_hidden);
      MatMulInto(slope.t(), chunk.hidden, /*accumulate=*/true, to_head);
    } else {
      const at::Tensor slope = ToLogitsAten(logits, chunk, grad, temperature);
      to_hidden.copy_(slope.mm(head));
      to_head.add_(slope.t().mm(chunk.hidden));
    }
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
  const at::Tensor rows = hidden.stride(1) == 1 ? hidden : hidden.contiguous();
  const at::Tensor dense = head.contiguous();
  const at::Tensor chosen = targets.contiguous();
  if (chosen.is_cpu()) {
    CheckIndices(chosen, head.size(0), "LogprobsOfTokens: target");
  }
  if (!NeedsGraph(hidden, head)) {
    const Outputs out = ComputeLogprobs(rows, dense, chosen, temperature);
    return {.logprobs = out.logprobs, .entropy = out.entropy};
  }
  const variable_list out =
      LogprobFunction::apply(rows, dense, chosen, temperature);
  return {.logprobs = out[0], .entropy = out[1]};
}

}  // namespace cohort
