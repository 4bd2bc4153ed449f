// Which instruction sets the CPU kernels are compiled for; included before
// Highway's headers, which choose among them at run time.
//
// On all of these but the last (plain scalar code, for machines from before
// 2013) MulAdd is fused, so that results have the same bits on every one.
#pragma once

// Left out: SSE without fused multiply-add, vectors whose length is known only
// at run time, and variants of AVX-512 that give these kernels nothing.
#define HWY_DISABLED_TARGETS                                               \
  (HWY_SSSE3 | HWY_SSE4 | HWY_AVX3_DL | HWY_SVE | HWY_SVE2 | HWY_SVE_256 | \
   HWY_SVE2_128 | HWY_RVV)

#include "hwy/base.h"
