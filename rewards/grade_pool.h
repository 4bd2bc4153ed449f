// Grades in worker processes, which are started again when they die.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "proto/rewards.pb.h"

namespace cohort {

class GradeProcess;

// Thread-safe.
class GradePool {
 public:
  // `command` and its arguments start a worker, when it is first needed, that
  // calls RunGradeWorker on descriptor 0. Requires workers >= 1.
  GradePool(std::vector<std::string> command, int workers);
  ~GradePool();  // Ends the workers. Requires that no call is under way.

  // Grades every completion; with none, checks the prompt. Blocks while all
  // workers are busy. A completion whose worker died is tried once more in a
  // fresh one; if that dies too, its verdict is `undecided`, reason `resource`.
  //   kNotFound, kInvalidArgument  see GraderFor
  //   kDeadlineExceeded            `deadline` passed
  //   kCancelled                   `gone` said that nobody waits any more
  //   kUnavailable                 no worker can be started
  absl::Status Grade(const GradeRequest& request, absl::Time deadline,
                     GradeResponse* response,
                     const std::function<bool()>& gone = nullptr);

  // Workers that died while they graded.
  int64_t deaths() const;

 private:
  absl::StatusOr<std::unique_ptr<GradeProcess>> Borrow(absl::Time deadline);
  void Return(std::unique_ptr<GradeProcess> process);
  absl::Status StartAgain(std::unique_ptr<GradeProcess>* process);
  bool AnyIdle() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return !idle_.empty();
  }

  const std::vector<std::string> command_;
  mutable absl::Mutex mu_;
  // Null: a place whose worker is not started.
  std::vector<std::unique_ptr<GradeProcess>> idle_ ABSL_GUARDED_BY(mu_);
  int64_t deaths_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace cohort
