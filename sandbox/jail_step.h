// Steps of building a jail: each either works or says where it failed.
#pragma once

#include <cerrno>

namespace cohort {

// The first step that failed and its errno; null while all went well.
struct JailFailure {
  const char* step = nullptr;
  int error = 0;

  explicit operator bool() const { return step != nullptr; }
};

// `result` of a system call: negative is a failure.
inline JailFailure Step(const char* step, long result) {
  if (result >= 0) return {};
  return {step, errno};
}

}  // namespace cohort

// Returns the failure from the function where there is one.
#define COHORT_JAIL_STEP(step, result)                       \
  do {                                                       \
    if (::cohort::JailFailure cohort_failure_ =              \
            ::cohort::Step(step, static_cast<long>(result)); \
        cohort_failure_) {                                   \
      return cohort_failure_;                                \
    }                                                        \
  } while (false)
