#include "model/kernels/token_logprob.h"

#include <cuda_bf16.h>
#include <cuda_runtime_api.h>

#include <cfloat>
#include <cub/block/block_reduce.cuh>

#include "model/kernels/cuda_entry.h"

namespace cohort {
namespace {

constexpr int kThreads = 256;

// Of the columns seen so far: the largest x, the sum of exp(x - max)
// (arXiv:1805.02867), and that sum weighted by x - max, for the entropy.
struct Softmax {
  float max = -FLT_MAX;  // Finite, so that merging two empty states is no NaN.
  float sum = 0;
  float weighted = 0;
};

struct Merge {
  __device__ Softmax operator()(const Softmax& a, const Softmax& b) const {
    Softmax c;
    c.max = fmaxf(a.max, b.max);
    const float a_share = expf(a.max - c.max);
    const float b_share = expf(b.max - c.max);
    c.sum = a.sum * a_share + b.sum * b_share;
    c.weighted = (a.weighted + a.sum * (a.max - c.max)) * a_share +
                 (b.weighted + b.sum * (b.max - c.max)) * b_share;
    return c;
  }
};

// grid: [N], one block per row.
template <typename T>
__global__ void __launch_bounds__(kThreads)
    TokenLogprobKernel(const TokenLogprobParams p) {
  using Reduce = cub::BlockReduce<Softmax, kThreads>;
  __shared__ typename Reduce::TempStorage scratch;
  const T* const row = static_cast<const T*>(p.logits) + blockIdx.x * p.v;
  Softmax state;
  for (int64_t v = threadIdx.x; v < p.v; v += kThreads) {
    const float x = static_cast<float>(row[v]) * p.inv_temperature;
    // A logit of -inf has no share, but its distance would be infinite.
    state = Merge()(state, {x < -FLT_MAX ? -FLT_MAX : x, 1, 0});
  }
  state = Reduce(scratch).Reduce(state, Merge());
  if (threadIdx.x != 0) return;
  const float log_sum = logf(state.sum);
  const float chosen = static_cast<float>(row[p.target[blockIdx.x]]);
  p.out[blockIdx.x] = chosen * p.inv_temperature - state.max - log_sum;
  if (p.entropy != nullptr) {
    p.entropy[blockIdx.x] = log_sum - state.weighted / state.sum;
  }
  if (p.log_sum != nullptr) p.log_sum[blockIdx.x] = state.max + log_sum;
}

template <typename T>
int LaunchTokenLogprob(const TokenLogprobParams& params, void* stream) {
  if (params.n == 0) return cudaSuccess;  // An empty grid is a launch error.
  TokenLogprobKernel<T><<<static_cast<unsigned>(params.n), kThreads, 0,
                          static_cast<cudaStream_t>(stream)>>>(params);
  return cudaGetLastError();
}

constexpr CudaKernels kKernels = {
    LaunchTokenLogprob<float>,
    LaunchTokenLogprob<__nv_bfloat16>,
};

}  // namespace
}  // namespace cohort

const cohort::CudaKernels* CohortCudaKernels() { return &cohort::kKernels; }
