// The CUDA kernels, as the programs see them. They are built into
// libcohort_cuda.so, which links the CUDA runtime; the programs do not. Where a
// GPU is present, model/device.cc loads it with dlopen(RTLD_GLOBAL).
#pragma once

#include "model/kernels/token_logprob.h"

namespace cohort {

// Launchers enqueue on `stream` (a cudaStream_t) and return a cudaError_t, 0 on
// success. The memory behind `params` must stay alive until the stream has
// passed.
struct CudaKernels {
  int (*token_logprob_float)(const TokenLogprobParams& params, void* stream);
  int (*token_logprob_bfloat16)(const TokenLogprobParams& params, void* stream);
};

// The table of the loaded library; null where none is loaded. Cheap enough for
// once per operation, not for once per row.
const CudaKernels* LoadedCudaKernels();

}  // namespace cohort

// What libcohort_cuda.so exports.
extern "C" const cohort::CudaKernels* CohortCudaKernels();
