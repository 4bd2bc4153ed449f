#include "learner/lease_book.h"

#include <algorithm>
#include <utility>

#include "learner/prompt_source.h"
#include "proto/check.h"
#include "proto/log.h"

namespace cohort {

LeaseBook::LeaseBook(absl::Duration lease_timeout, Clock now)
    : lease_timeout_(lease_timeout), now_(std::move(now)) {}

void LeaseBook::Plan(std::vector<PlannedGroup> groups) {
  absl::MutexLock lock(&mu_);
  for (PlannedGroup& group : groups) {
    const std::string id = GroupId(group.lease.occurrence());
    const auto [entry, is_new] = entries_.try_emplace(id);
    if (!is_new) continue;
    entry->second.planned = std::move(group);
    entry->second.order = next_order_++;
    planned_.emplace(entry->second.order, id);
  }
  changed_.SignalAll();
}

std::vector<Lease> LeaseBook::LeaseTo(const std::string& worker, int max,
                                      absl::Duration wait) {
  const absl::Time deadline = absl::Now() + wait;
  std::vector<Lease> leases;
  absl::MutexLock lock(&mu_);
  while (!finished_) {
    const absl::Time next_expiry = ExpireLeases();
    if (!planned_.empty()) break;
    // The book's clock may be another than the deadline's.
    const absl::Duration left =
        std::min(deadline - absl::Now(), next_expiry - now_());
    if (absl::Now() >= deadline) return leases;
    changed_.WaitWithTimeout(&mu_, left);
  }
  if (finished_) return leases;
  const absl::Time expires = now_() + lease_timeout_;
  while (!planned_.empty() && static_cast<int>(leases.size()) < max) {
    const auto first = planned_.begin();
    Entry& entry = entries_.at(first->second);
    entry.state = State::kLeased;
    entry.worker = worker;
    entry.expires = expires;
    leased_.insert(first->second);
    leases.push_back(entry.planned.lease);
    planned_.erase(first);
  }
  return leases;
}

std::optional<PlannedGroup> LeaseBook::Find(const std::string& group_id) const {
  absl::MutexLock lock(&mu_);
  const auto entry = entries_.find(group_id);
  if (entry == entries_.end()) return std::nullopt;
  return entry->second.planned;
}

Delivery LeaseBook::Deliver(const std::string& group_id) {
  absl::MutexLock lock(&mu_);
  const auto found = entries_.find(group_id);
  if (found == entries_.end()) return Delivery::kUnknown;
  Entry& entry = found->second;
  if (entry.state == State::kDelivered) return Delivery::kAgain;
  if (entry.state == State::kPlanned) planned_.erase(entry.order);
  leased_.erase(group_id);
  entry.state = State::kDelivered;
  changed_.SignalAll();
  return Delivery::kFirst;
}

void LeaseBook::GiveBack(const std::string& group_id,
                         int64_t min_policy_version) {
  absl::MutexLock lock(&mu_);
  const auto found = entries_.find(group_id);
  if (found == entries_.end()) return;
  Lease& lease = found->second.planned.lease;
  lease.set_min_policy_version(
      std::max(lease.min_policy_version(), min_policy_version));
  if (found->second.state == State::kLeased) PutBack(&found->second);
}

void LeaseBook::ReleaseWorker(const std::string& worker) {
  absl::MutexLock lock(&mu_);
  const std::set<std::string> leased = leased_;  // PutBack changes it.
  int64_t released = 0;
  for (const std::string& id : leased) {
    Entry& entry = entries_.at(id);
    if (entry.worker != worker) continue;
    PutBack(&entry);
    ++released;
  }
  if (released > 0) {
    COHORT_LOG(WARNING) << "worker is gone, its leases are free worker="
                        << worker << " leases=" << released;
  }
}

bool LeaseBook::WaitFor(absl::Span<const std::string> group_ids,
                        const std::stop_token& stop, absl::Duration timeout) {
  const absl::Time deadline = absl::Now() + timeout;
  // The callback takes the lock, so that its signal cannot fall between a look
  // at `stop` and the wait. It is made before the lock is taken: it may run at
  // once, in this thread.
  const std::stop_callback wake(stop, [this] {
    absl::MutexLock lock(&mu_);
    changed_.SignalAll();
  });
  absl::MutexLock lock(&mu_);
  while (Undelivered(group_ids) > 0) {
    if (stop.stop_requested() || absl::Now() >= deadline) return false;
    changed_.WaitWithDeadline(&mu_, deadline);
  }
  return true;
}

int64_t LeaseBook::CountDelivered(
    absl::Span<const std::string> group_ids) const {
  absl::MutexLock lock(&mu_);
  return static_cast<int64_t>(group_ids.size()) - Undelivered(group_ids);
}

void LeaseBook::Forget(absl::Span<const std::string> group_ids) {
  absl::MutexLock lock(&mu_);
  for (const std::string& id : group_ids) {
    const auto found = entries_.find(id);
    if (found == entries_.end()) continue;
    planned_.erase(found->second.order);
    leased_.erase(id);
    entries_.erase(found);
  }
}

void LeaseBook::Finish() {
  absl::MutexLock lock(&mu_);
  finished_ = true;
  changed_.SignalAll();
}

bool LeaseBook::finished() const {
  absl::MutexLock lock(&mu_);
  return finished_;
}

absl::Time LeaseBook::ExpireLeases() {
  const absl::Time now = now_();
  absl::Time next = absl::InfiniteFuture();
  const std::set<std::string> leased = leased_;  // PutBack changes it.
  for (const std::string& id : leased) {
    Entry& entry = entries_.at(id);
    if (entry.expires <= now) {
      COHORT_LOG(WARNING) << "lease expired, given again group=" << id
                          << " worker=" << entry.worker;
      PutBack(&entry);
    } else {
      next = std::min(next, entry.expires);
    }
  }
  return next;
}

void LeaseBook::PutBack(Entry* entry) {
  const std::string id = GroupId(entry->planned.lease.occurrence());
  entry->state = State::kPlanned;
  entry->worker.clear();
  entry->expires = absl::InfiniteFuture();
  leased_.erase(id);
  planned_.emplace(entry->order, id);
  changed_.SignalAll();
}

int64_t LeaseBook::Undelivered(absl::Span<const std::string> group_ids) const {
  int64_t undelivered = 0;
  for (const std::string& id : group_ids) {
    const auto entry = entries_.find(id);
    COHORT_CHECK(entry != entries_.end());
    undelivered += entry->second.state == State::kDelivered ? 0 : 1;
  }
  return undelivered;
}

}  // namespace cohort
