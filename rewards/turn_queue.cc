#include "rewards/turn_queue.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "proto/check.h"

namespace cohort {

TurnQueue::TurnQueue(int turns, int max_waiting)
    : turns_(turns), max_waiting_(max_waiting), free_(turns) {
  COHORT_CHECK(turns >= 1);
  COHORT_CHECK(max_waiting >= 0);
}

absl::Status TurnQueue::Take(absl::Time deadline, absl::Duration* retry_after) {
  if (absl::Now() >= deadline) {
    return absl::DeadlineExceededError("not graded in time");
  }
  absl::MutexLock lock(&mu_);
  if (free_ == 0) {
    if (waiting_ >= max_waiting_) {
      // Half the queue gone leaves room for those who come back.
      *retry_after = std::max(absl::Milliseconds(5),
                              mean_busy_ * (waiting_ + 1) / (2.0 * turns_));
      return absl::ResourceExhaustedError(absl::StrCat(
          waiting_, " calls wait for ", turns_, " grading workers already"));
    }
    ++waiting_;
    const bool taken = mu_.AwaitWithDeadline(
        absl::Condition(this, &TurnQueue::AnyFree), deadline);
    --waiting_;
    if (!taken) {
      return absl::DeadlineExceededError("all grading workers were busy");
    }
  }
  --free_;
  return absl::OkStatus();
}

void TurnQueue::End(absl::Duration busy) {
  absl::MutexLock lock(&mu_);
  ++free_;
  mean_busy_ += (busy - mean_busy_) / 16;
}

int64_t TurnQueue::waiting() const {
  absl::MutexLock lock(&mu_);
  return waiting_;
}

int64_t TurnQueue::busy() const {
  absl::MutexLock lock(&mu_);
  return turns_ - free_;
}

}  // namespace cohort
