// Who may grade now, and how many may wait for it.
#pragma once

#include <cstdint>
#include <list>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace cohort {

// Thread-safe.
class TurnQueue {
 public:
  // Requires turns >= 1 and max_waiting >= 0.
  TurnQueue(int turns, int max_waiting);

  // Waits for a turn. Every OK is to be followed by End().
  //   kResourceExhausted  `max_waiting` others wait already, or so many that
  //                       the turn would come too late; *retry_after says when
  //                       there may be room
  //   kDeadlineExceeded   `deadline` passed first
  absl::Status Take(absl::Time deadline, absl::Duration* retry_after);

  // Ends a turn that took `busy`.
  void End(absl::Duration busy);

  int64_t waiting() const;
  int64_t busy() const;

 private:
  struct Waiter {
    absl::CondVar turn_given;
    bool has_turn = false;
  };

  const int turns_;
  const int max_waiting_;
  mutable absl::Mutex mu_;
  int free_ ABSL_GUARDED_BY(mu_);
  // Who waits, first come first served. A free turn means that nobody does.
  std::list<Waiter*> queue_ ABSL_GUARDED_BY(mu_);
  // Of a turn, over about the last 16 of them.
  absl::Duration mean_busy_ ABSL_GUARDED_BY(mu_);
};

}  // namespace cohort
