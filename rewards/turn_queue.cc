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
  const absl::Duration left = deadline - absl::Now();
  if (left <= absl::ZeroDuration()) {
    return absl::DeadlineExceededError("not graded in time");
  }
  absl::MutexLock lock(&mu_);
  if (free_ > 0) {
    --free_;
    return absl::OkStatus();
  }
  const int waiting = static_cast<int>(queue_.size());
  // Not all of the time left: the wait is a guess, and calls are late at both
  // ends of the queue too.
  const bool too_late =
      waiting > 0 && mean_busy_ * (waiting / turns_) > left / 4;
  if (waiting >= max_waiting_ || too_late) {
    // Half the queue gone leaves room for those who come back.
    *retry_after = std::max(absl::Milliseconds(5),
                            mean_busy_ * (waiting + 1) / (2.0 * turns_));
    return absl::ResourceExhaustedError(absl::StrCat(
        waiting, " calls wait for ", turns_, " grading workers already"));
  }
  Waiter waiter;
  const auto place = queue_.insert(queue_.end(), &waiter);
  while (!waiter.has_turn) {
    const bool late = waiter.turn_given.WaitWithDeadline(&mu_, deadline);
    if (late && !waiter.has_turn) {
      queue_.erase(place);
      return absl::DeadlineExceededError("all grading workers were busy");
    }
  }
  return absl::OkStatus();
}

void TurnQueue::End(absl::Duration busy) {
  absl::MutexLock lock(&mu_);
  mean_busy_ += (busy - mean_busy_) / 16;
  if (queue_.empty()) {
    ++free_;
    return;
  }
  Waiter* const next = queue_.front();
  queue_.pop_front();
  next->has_turn = true;
  next->turn_given.Signal();
}

int64_t TurnQueue::waiting() const {
  absl::MutexLock lock(&mu_);
  return static_cast<int64_t>(queue_.size());
}

int64_t TurnQueue::busy() const {
  absl::MutexLock lock(&mu_);
  return turns_ - free_;
}

}  // namespace cohort
