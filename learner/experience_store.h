// Every group of a run, from lease to training, in one SQLite file.
//
//              Append               MarkTrained
//   leased  ------------>  stored  ------------->  trained
//                             |      MarkDropped
//                             +----------------->  dropped
//
// RollBack is the way back, after a crash, to what a checkpoint knows. The view
// `groups_view` is what other programs read.
//
// WAL with synchronous=NORMAL: what Append acknowledged outlives any process
// (kill -9), and Sync() makes it outlive the machine. A checkpoint calls it
// before it is published; what a power cut takes after that, the resumed run
// samples again, and an fsync per group would buy nothing.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/span.h"
#include "proto/learner.pb.h"
#include "proto/types.pb.h"

struct sqlite3;

namespace cohort {

class SqliteStatement;

// A group is too old to be trained on.
//   kFailedPrecondition  a token was sampled more than `max_staleness` versions
//                        before `newest_version`
absl::Status CheckFresh(const Group& group, int64_t newest_version,
                        int max_staleness);

// The oldest and the newest policy version that sampled a token of `group`.
struct VersionRange {
  int64_t oldest = 0;
  int64_t newest = 0;
};
VersionRange VersionsOf(const Group& group);

// A row of `groups_view`.
struct GroupRow {
  std::string group_id;
  std::string stage;
  std::string prompt_id;
  int64_t occurrence = 0;
  int64_t policy_version = -1;   // The oldest; -1 while leased.
  std::string state;             // "leased", "stored", "trained", "dropped".
  int64_t trained_at_step = -1;  // -1 where not trained.
};

// Which rows to list; an unset field takes all.
struct GroupFilter {
  int64_t step = -1;  // Trained or dropped at this step.
  std::string state;
  std::string stage;
};

// Thread-safe. Owns one database connection, which its lock serialises.
class ExperienceStore {
 public:
  // Opens `path`, creating the tables in a new file.
  //   kFailedPrecondition  written under another schema version
  //   kPermissionDenied, kResourceExhausted (disk full), kUnavailable (locked),
  //   kDataLoss (not a database): with the path
  static absl::StatusOr<std::unique_ptr<ExperienceStore>> Open(
      const std::string& path);

  // To look at, beside a learner at work.
  static absl::StatusOr<std::unique_ptr<ExperienceStore>> OpenReadOnly(
      const std::string& path);

  ~ExperienceStore();
  ExperienceStore(const ExperienceStore&) = delete;
  ExperienceStore& operator=(const ExperienceStore&) = delete;

  // Notes that these groups are being sampled; those already here stay as they
  // are.
  absl::Status MarkLeased(absl::Span<const Lease> leases);

  // Stores a graded group. True: stored now; false: it was here already and is
  // left as it is, so a worker that saw no reply may send it again.
  absl::StatusOr<bool> Append(const Group& group);

  // Whether the group was ever stored (its state is not "leased").
  absl::StatusOr<bool> Contains(const std::string& group_id) const;

  // Those of `group_ids` that are "stored", to be trained on without being
  // sampled again. In the given order.
  absl::StatusOr<std::vector<std::string>> FindStored(
      absl::Span<const std::string> group_ids) const;

  // The groups, in the order of `group_ids`.
  //   kNotFound  one is not here, or its tokens were dropped by the retention
  absl::StatusOr<std::vector<Group>> Load(
      absl::Span<const std::string> group_ids) const;

  // All of `group_ids` at once or none: they were used in (left out of) the
  // optimizer step `step`.
  //   kFailedPrecondition  one is not "stored": trained before, or for
  //                        evaluation
  absl::Status MarkTrained(absl::Span<const std::string> group_ids,
                           int64_t step);
  absl::Status MarkDropped(absl::Span<const std::string> group_ids,
                           int64_t step);

  // Back to a checkpoint taken after step `step` with policy `policy_version`:
  // what a later policy sampled is deleted (that policy is lost), what was
  // trained or dropped later is "stored" again, leases are forgotten.
  struct RollBackCounts {
    int64_t deleted = 0;
    int64_t stored_again = 0;
    int64_t leases_forgotten = 0;
  };
  absl::StatusOr<RollBackCounts> RollBack(int64_t step, int64_t policy_version);

  // Notes which weights were published as `policy_version`, for whoever asks
  // later what sampled a group. RollBack forgets those of lost policies.
  absl::Status NotePolicy(int64_t policy_version,
                          std::string_view weights_hash);

  // Notes how far the learner's log-probabilities were from the sampler's when
  // the group was trained on, and gives it back: per member, the mean absolute
  // difference of a token in nats, below 0 where there was none to compare.
  // Empty where nothing was noted.
  absl::Status NoteMismatches(const std::string& group_id,
                              absl::Span<const double> members);
  absl::StatusOr<std::vector<double>> MismatchesOf(
      const std::string& group_id) const;

  // The retention rule: drops the contents of groups that were trained on or
  // dropped at step `step` or before, and of evaluations by policies up to
  // `policy_version`. Their rows stay. Never pass a step after that of the
  // newest checkpoint: RollBack needs the rest.
  absl::Status DropContents(int64_t step, int64_t policy_version);

  // Returns when everything acknowledged is on the disk.
  absl::Status Sync();

  // Rows in the order they were first written.
  absl::StatusOr<std::vector<GroupRow>> List(const GroupFilter& filter) const;

  const std::string& path() const { return path_; }

 private:
  struct CloseDatabase {
    void operator()(sqlite3* db) const;
  };
  using Database = std::unique_ptr<sqlite3, CloseDatabase>;

  ExperienceStore(std::string path, Database db);
  static absl::StatusOr<std::unique_ptr<ExperienceStore>> OpenWith(
      const std::string& path, int flags);

  absl::Status Run(const char* sql) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::StatusOr<SqliteStatement> Prepare(const char* sql) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status InTransaction(const std::function<absl::Status()>& work)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status CreateTables() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status CheckSchema() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status MarkDone(absl::Span<const std::string> group_ids, int64_t step,
                        const char* state);
  absl::Status Error(std::string_view what) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const std::string path_;
  mutable absl::Mutex mu_;
  const Database db_ ABSL_PT_GUARDED_BY(mu_);
};

}  // namespace cohort
