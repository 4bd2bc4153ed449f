// How a run is told to end.
#pragma once

#include <stop_token>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"

namespace cohort {

// Thread-safe.
class RunSignal {
 public:
  // As SIGINT does: the step under way ends or is given up, a checkpoint is
  // written.
  void Stop() { source_.request_stop(); }
  std::stop_token token() const { return source_.get_token(); }

  // The run cannot go on; the first failure counts.
  void Fail(const absl::Status& failure) {
    {
      absl::MutexLock lock(&mu_);
      failure_.Update(failure);
    }
    Stop();
  }
  absl::Status failure() const {
    absl::MutexLock lock(&mu_);
    return failure_;
  }

 private:
  std::stop_source source_;
  mutable absl::Mutex mu_;
  absl::Status failure_ ABSL_GUARDED_BY(mu_);
};

}  // namespace cohort
