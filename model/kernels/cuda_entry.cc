#include "model/kernels/cuda_entry.h"

#include <dlfcn.h>

namespace cohort {

const CudaKernels* LoadedCudaKernels() {
  void* const entry = dlsym(RTLD_DEFAULT, "CohortCudaKernels");
  if (entry == nullptr) return nullptr;
  return reinterpret_cast<decltype(&CohortCudaKernels)>(entry)();
}

}  // namespace cohort
