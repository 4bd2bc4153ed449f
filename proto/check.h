// Broken invariants end the process; a restart is safe, because everything that
// must survive is in the store and the checkpoints.
#pragma once

#include <cstdio>
#include <cstdlib>

// COHORT_CHECK(condition): our own invariant. What users, files, peers or the
// network can cause is an absl::Status instead.
#define COHORT_CHECK(condition)                                             \
  do {                                                                      \
    if (!(condition)) {                                                     \
      std::fprintf(stderr, "%s:%d: check failed: %s\n", __FILE__, __LINE__, \
                   #condition);                                             \
      std::abort();                                                         \
    }                                                                       \
  } while (false)
