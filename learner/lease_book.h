// Which prompts are to be sampled, and who is at it.
//
//            Plan            Lease             Deliver
//   (nothing) ----> planned -------> leased ----------> delivered --Forget-->
//                      ^               |
//                      +---------------+
//          lease expired, worker gone, group refused
//
// The book is memory alone: after a crash the trainer plans again what the
// store does not hold.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <unordered_map>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "learner/advantage.h"
#include "proto/learner.pb.h"

namespace cohort {

// One group to come, with the rules it will be judged by when it does.
struct PlannedGroup {
  Lease lease;
  RewardRule rewards;
  int max_staleness = 0;  // Policy versions; not looked at where lease.eval.
};

enum class Delivery {
  kFirst,    // Now complete.
  kAgain,    // Was complete already.
  kUnknown,  // Never planned, or forgotten.
};

// Thread-safe.
class LeaseBook {
 public:
  using Clock = std::function<absl::Time()>;

  explicit LeaseBook(absl::Duration lease_timeout, Clock now = absl::Now);

  // Adds groups, to be given out in this order, after those planned earlier. A
  // group id that is in the book already is left as it is.
  void Plan(std::vector<PlannedGroup> groups);

  // Up to `max` prompts for `worker`, the earliest planned first. Waits up to
  // `wait` for one; none then, and none once finished.
  std::vector<Lease> LeaseTo(const std::string& worker, int max,
                             absl::Duration wait);

  // The plan of a group that is in the book.
  std::optional<PlannedGroup> Find(const std::string& group_id) const;

  // The group has been stored.
  Delivery Deliver(const std::string& group_id);

  // The group was refused: it is to be sampled again, by a policy no older than
  // `min_policy_version`.
  void GiveBack(const std::string& group_id, int64_t min_policy_version);

  // The worker is gone: its leases are given to others, first of all.
  void ReleaseWorker(const std::string& worker);

  // Waits until all of `group_ids` are delivered: true. False when `stop` is
  // requested or `timeout` has passed. Requires that all are in the book.
  bool WaitFor(absl::Span<const std::string> group_ids,
               const std::stop_token& stop,
               absl::Duration timeout = absl::InfiniteDuration());

  // How many of `group_ids` are delivered.
  int64_t CountDelivered(absl::Span<const std::string> group_ids) const;

  // Takes groups out of the book, delivered or not.
  void Forget(absl::Span<const std::string> group_ids);

  // No more prompts will come; LeaseTo returns at once from now on.
  void Finish();
  bool finished() const;

 private:
  enum class State { kPlanned, kLeased, kDelivered };
  struct Entry {
    PlannedGroup planned;
    State state = State::kPlanned;
    int64_t order = 0;  // Place in the plan.
    std::string worker;
    absl::Time expires = absl::InfiniteFuture();
  };

  // Puts the expired leases back; returns when the next one expires.
  absl::Time ExpireLeases() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void PutBack(Entry* entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  int64_t Undelivered(absl::Span<const std::string> group_ids) const
      ABSL_SHARED_LOCKS_REQUIRED(mu_);

  const absl::Duration lease_timeout_;
  const Clock now_;

  mutable absl::Mutex mu_;
  absl::CondVar changed_;  // A prompt became free, a group came, or the end.
  std::unordered_map<std::string, Entry> entries_ ABSL_GUARDED_BY(mu_);
  // Free prompts, by their place in the plan.
  std::map<int64_t, std::string> planned_ ABSL_GUARDED_BY(mu_);
  std::set<std::string> leased_ ABSL_GUARDED_BY(mu_);
  int64_t next_order_ ABSL_GUARDED_BY(mu_) = 0;
  bool finished_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace cohort
