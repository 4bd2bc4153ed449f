#include "proto/process.h"

#include <malloc.h>
#include <unistd.h>

#include <cstdio>
#include <iostream>

namespace cohort {

void KeepFreedMemory() {
  // The largest threshold that mallopt(3) takes; it fixes the others too.
  mallopt(M_MMAP_THRESHOLD, 32 << 20);
  mallopt(M_TRIM_THRESHOLD, 256 << 20);
}

void EndProcess(int exit_code) {
  std::cout.flush();
  std::fflush(nullptr);
  _exit(exit_code);
}

}  // namespace cohort
