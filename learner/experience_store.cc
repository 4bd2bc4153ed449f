#include "learner/experience_store.h"

#include <sqlite3.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "learner/prompt_source.h"
#include "learner/sqlite_statement.h"
#include "proto/check.h"
#include "proto/status.h"

namespace cohort {
namespace {

// 2: with the tables `policies` and `mismatches`. A store of version 1 is read
// as it is, and gets them when a run goes on.
constexpr int kSchemaVersion = 2;
constexpr int kOldestSchemaVersion = 1;

// `contents` is a serialized Group. A row that is stored, trained or dropped
// has versions; a row that is trained or dropped has a step; and no update
// leads from "trained" to anything but "stored", which only RollBack does.
constexpr char kSchema[] = R"sql(
  CREATE TABLE groups(
    number INTEGER PRIMARY KEY,
    group_id TEXT NOT NULL UNIQUE,
    stage TEXT NOT NULL,
    prompt_id TEXT NOT NULL,
    occurrence INTEGER NOT NULL,
    eval INTEGER NOT NULL CHECK(eval IN (0, 1)),
    state TEXT NOT NULL
      CHECK(state IN ('leased', 'stored', 'trained', 'dropped')),
    oldest_version INTEGER,
    newest_version INTEGER,
    closed_at_step INTEGER,
    contents BLOB,
    CHECK((state = 'leased') = (oldest_version IS NULL)),
    CHECK((state = 'leased') = (newest_version IS NULL)),
    CHECK((state IN ('trained', 'dropped')) = (closed_at_step IS NOT NULL)),
    CHECK(NOT (eval AND state = 'trained')),
    UNIQUE(stage, prompt_id, occurrence)
  );
  CREATE INDEX groups_by_step ON groups(closed_at_step);
  CREATE INDEX groups_by_version ON groups(newest_version);
  CREATE TRIGGER trained_once BEFORE UPDATE OF state ON groups
    WHEN OLD.state = 'trained' AND NEW.state <> 'stored'
    BEGIN SELECT RAISE(ABORT, 'group was trained on already'); END;
  CREATE VIEW groups_view AS
    SELECT group_id, stage, prompt_id, occurrence,
           oldest_version AS policy_version, state,
           CASE WHEN state = 'trained' THEN closed_at_step END
             AS trained_at_step
    FROM groups;
)sql";

// `members` holds float64, little endian.
constexpr char kNotes[] = R"sql(
  CREATE TABLE IF NOT EXISTS policies(
    version INTEGER PRIMARY KEY,
    weights_hash TEXT NOT NULL
  );
  CREATE TABLE IF NOT EXISTS mismatches(
    group_id TEXT PRIMARY KEY,
    members BLOB NOT NULL
  ) WITHOUT ROWID;
)sql";

}  // namespace

VersionRange VersionsOf(const Group& group) {
  VersionRange range{.oldest = std::numeric_limits<int64_t>::max(),
                     .newest = std::numeric_limits<int64_t>::min()};
  for (const Trajectory& trajectory : group.trajectories()) {
    for (const VersionSpan& span : trajectory.versions()) {
      range.oldest = std::min(range.oldest, span.version());
      range.newest = std::max(range.newest, span.version());
    }
  }
  COHORT_CHECK(range.oldest <= range.newest);
  return range;
}

absl::Status CheckFresh(const Group& group, int64_t newest_version,
                        int max_staleness) {
  const int64_t oldest = VersionsOf(group).oldest;
  if (newest_version - oldest <= max_staleness) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      "group ", group.id(), ": sampled by policy ", oldest, ", newest is ",
      newest_version, ", max_staleness is ", max_staleness));
}

void ExperienceStore::CloseDatabase::operator()(sqlite3* db) const {
  sqlite3_close_v2(db);
}

ExperienceStore::ExperienceStore(std::string path, Database db)
    : path_(std::move(path)), db_(std::move(db)) {}

ExperienceStore::~ExperienceStore() = default;

absl::StatusOr<std::unique_ptr<ExperienceStore>> ExperienceStore::OpenWith(
    const std::string& path, int flags) {
  sqlite3* db = nullptr;
  const int opened = sqlite3_open_v2(path.c_str(), &db,
                                     flags | SQLITE_OPEN_FULLMUTEX, nullptr);
  auto store =
      std::unique_ptr<ExperienceStore>(new ExperienceStore(path, Database(db)));
  absl::MutexLock lock(&store->mu_);
  if (opened != SQLITE_OK) return store->Error("open");
  sqlite3_extended_result_codes(db, 1);
  sqlite3_busy_timeout(db, 10'000);  // Milliseconds; readers hold it briefly.
  return store;
}

absl::StatusOr<std::unique_ptr<ExperienceStore>> ExperienceStore::Open(
    const std::string& path) {
  COHORT_ASSIGN_OR_RETURN(
      std::unique_ptr<ExperienceStore> store,
      OpenWith(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE));
  absl::MutexLock lock(&store->mu_);
  // auto_vacuum takes effect only before the first table.
  COHORT_RETURN_IF_ERROR(
      store->Run("PRAGMA auto_vacuum = INCREMENTAL;"
                 "PRAGMA journal_mode = WAL;"
                 "PRAGMA synchronous = NORMAL;"));
  COHORT_RETURN_IF_ERROR(store->CreateTables());
  COHORT_RETURN_IF_ERROR(store->CheckSchema());
  return store;
}

absl::StatusOr<std::unique_ptr<ExperienceStore>> ExperienceStore::OpenReadOnly(
    const std::string& path) {
  COHORT_ASSIGN_OR_RETURN(std::unique_ptr<ExperienceStore> store,
                          OpenWith(path, SQLITE_OPEN_READONLY));
  absl::MutexLock lock(&store->mu_);
  COHORT_RETURN_IF_ERROR(store->CheckSchema());
  return store;
}

absl::Status ExperienceStore::CreateTables() {
  return InTransaction([this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    COHORT_ASSIGN_OR_RETURN(
        SqliteStatement tables,
        Prepare("SELECT count(*) FROM sqlite_schema WHERE type = 'table'"));
    if (tables.Step() != SQLITE_ROW) return Error("read the schema");
    if (tables.Number(0) > 0) {
      // Nothing is added to what somebody else made.
      COHORT_RETURN_IF_ERROR(CheckSchema());
    } else {
      COHORT_RETURN_IF_ERROR(Run(kSchema));
    }
    COHORT_RETURN_IF_ERROR(Run(kNotes));
    return Run(absl::StrCat("PRAGMA user_version = ", kSchemaVersion).c_str());
  });
}

absl::Status ExperienceStore::CheckSchema() const {
  COHORT_ASSIGN_OR_RETURN(SqliteStatement version,
                          Prepare("PRAGMA user_version"));
  if (version.Step() != SQLITE_ROW) return Error("read the schema version");
  if (version.Number(0) >= kOldestSchemaVersion &&
      version.Number(0) <= kSchemaVersion) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(absl::StrCat(
      path_, ": schema version ", version.Number(0), ", this program reads ",
      kOldestSchemaVersion, " to ", kSchemaVersion));
}

absl::Status ExperienceStore::MarkLeased(absl::Span<const Lease> leases) {
  absl::MutexLock lock(&mu_);
  return InTransaction([&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    COHORT_ASSIGN_OR_RETURN(
        SqliteStatement insert,
        Prepare("INSERT INTO groups(group_id, stage, prompt_id, occurrence,"
                " eval, state) VALUES (?, ?, ?, ?, ?, 'leased')"
                " ON CONFLICT DO NOTHING"));
    for (const Lease& lease : leases) {
      const Occurrence& occurrence = lease.occurrence();
      const std::string id = GroupId(occurrence);
      insert.Bind(id)
          .Bind(occurrence.stage())
          .Bind(occurrence.prompt_id())
          .Bind(occurrence.occurrence())
          .Bind(int64_t{lease.eval()});
      if (insert.Step() != SQLITE_DONE) {
        return Error(absl::StrCat("lease group ", id));
      }
      insert.Reset();
    }
    return absl::OkStatus();
  });
}

absl::StatusOr<bool> ExperienceStore::Append(const Group& group) {
  const std::string contents = group.SerializeAsString();
  const VersionRange versions = VersionsOf(group);

  absl::MutexLock lock(&mu_);
  COHORT_ASSIGN_OR_RETURN(
      SqliteStatement insert,
      Prepare("INSERT INTO groups(group_id, stage, prompt_id, occurrence, eval,"
              " state, oldest_version, newest_version, contents)"
              " VALUES (?1, ?2, ?3, ?4, ?5, 'stored', ?6, ?7, ?8)"
              " ON CONFLICT(group_id) DO UPDATE SET state = 'stored',"
              " eval = ?5, oldest_version = ?6, newest_version = ?7,"
              " contents = ?8 WHERE state = 'leased'"));
  insert.Bind(group.id())
      .Bind(group.occurrence().stage())
      .Bind(group.occurrence().prompt_id())
      .Bind(group.occurrence().occurrence())
      .Bind(int64_t{group.eval()})
      .Bind(versions.oldest)
      .Bind(versions.newest)
      .BindBlob(contents);
  if (insert.Step() != SQLITE_DONE) {
    return Error(absl::StrCat("append group ", group.id()));
  }
  return sqlite3_changes(db_.get()) == 1;
}

absl::StatusOr<bool> ExperienceStore::Contains(
    const std::string& group_id) const {
  absl::MutexLock lock(&mu_);
  COHORT_ASSIGN_OR_RETURN(
      SqliteStatement find,
      Prepare("SELECT 1 FROM groups WHERE group_id = ? AND state <> 'leased'"));
  const int result = find.Bind(group_id).Step();
  if (result == SQLITE_ROW) return true;
  if (result == SQLITE_DONE) return false;
  return Error(absl::StrCat("find group ", group_id));
}

absl::StatusOr<std::vector<std::string>> ExperienceStore::FindStored(
    absl::Span<const std::string> group_ids) const {
  absl::MutexLock lock(&mu_);
  COHORT_ASSIGN_OR_RETURN(
      SqliteStatement find,
      Prepare("SELECT 1 FROM groups WHERE group_id = ? AND state = 'stored'"));
  std::vector<std::string> stored;
  for (const std::string& id : group_ids) {
    const int result = find.Bind(id).Step();
    if (result == SQLITE_ROW) {
      stored.push_back(id);
    } else if (result != SQLITE_DONE) {
      return Error(absl::StrCat("find group ", id));
    }
    find.Reset();
  }
  return stored;
}

absl::StatusOr<std::vector<Group>> ExperienceStore::Load(
    absl::Span<const std::string> group_ids) const {
  absl::MutexLock lock(&mu_);
  COHORT_ASSIGN_OR_RETURN(
      SqliteStatement read,
      Prepare("SELECT contents FROM groups WHERE group_id = ?"));
  std::vector<Group> groups;
  groups.reserve(group_ids.size());
  for (const std::string& id : group_ids) {
    const int result = read.Bind(id).Step();
    if (result != SQLITE_ROW && result != SQLITE_DONE) {
      return Error(absl::StrCat("load group ", id));
    }
    if (result == SQLITE_DONE || read.IsNull(0)) {
      return absl::NotFoundError(
          absl::StrCat(path_, ": group ", id,
                       result == SQLITE_DONE ? " is not here"
                                             : " has no contents (any more)"));
    }
    if (!groups.emplace_back().ParseFromString(read.Text(0))) {
      return absl::DataLossError(
          absl::StrCat(path_, ": group ", id, " cannot be read"));
    }
    read.Reset();
  }
  return groups;
}

absl::Status ExperienceStore::MarkDone(absl::Span<const std::string> group_ids,
                                       int64_t step, const char* state) {
  absl::MutexLock lock(&mu_);
  return InTransaction([&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    COHORT_ASSIGN_OR_RETURN(
        SqliteStatement update,
        Prepare("UPDATE groups SET state = ?, closed_at_step = ?"
                " WHERE group_id = ? AND state = 'stored' AND eval = 0"));
    for (const std::string& id : group_ids) {
      if (update.Bind(state).Bind(step).Bind(id).Step() != SQLITE_DONE) {
        return Error(absl::StrCat("mark group ", id, " ", state));
      }
      if (sqlite3_changes(db_.get()) != 1) {
        return absl::FailedPreconditionError(
            absl::StrCat(path_, ": group ", id, " cannot be ", state,
                         " at step ", step, ": it is not stored and waiting"));
      }
      update.Reset();
    }
    return absl::OkStatus();
  });
}

absl::Status ExperienceStore::MarkTrained(
    absl::Span<const std::string> group_ids, int64_t step) {
  return MarkDone(group_ids, step, "trained");
}

absl::Status ExperienceStore::MarkDropped(
    absl::Span<const std::string> group_ids, int64_t step) {
  return MarkDone(group_ids, step, "dropped");
}

absl::StatusOr<ExperienceStore::RollBackCounts> ExperienceStore::RollBack(
    int64_t step, int64_t policy_version) {
  RollBackCounts counts;
  absl::MutexLock lock(&mu_);
  COHORT_RETURN_IF_ERROR(InTransaction([&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(
                                           mu_) {
    const auto change = [&](const char* sql,
                            const std::vector<int64_t>& numbers,
                            int64_t* count) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
      COHORT_ASSIGN_OR_RETURN(SqliteStatement statement, Prepare(sql));
      for (const int64_t number : numbers) statement.Bind(number);
      if (statement.Step() != SQLITE_DONE) return Error("roll back");
      *count = sqlite3_changes(db_.get());
      return absl::OkStatus();
    };
    int64_t policies = 0;
    int64_t mismatches = 0;
    COHORT_RETURN_IF_ERROR(
        change("DELETE FROM mismatches WHERE group_id IN (SELECT group_id FROM"
               " groups WHERE newest_version > ? OR closed_at_step > ?)",
               {policy_version, step}, &mismatches));
    COHORT_RETURN_IF_ERROR(change("DELETE FROM policies WHERE version > ?",
                                  {policy_version}, &policies));
    COHORT_RETURN_IF_ERROR(change("DELETE FROM groups WHERE newest_version > ?",
                                  {policy_version}, &counts.deleted));
    COHORT_RETURN_IF_ERROR(
        change("UPDATE groups SET state = 'stored', closed_at_step = NULL"
               " WHERE closed_at_step > ?",
               {step}, &counts.stored_again));
    return change("DELETE FROM groups WHERE state = 'leased'", {},
                  &counts.leases_forgotten);
  }));
  return counts;
}

absl::Status ExperienceStore::NotePolicy(int64_t policy_version,
                                         std::string_view weights_hash) {
  absl::MutexLock lock(&mu_);
  COHORT_ASSIGN_OR_RETURN(
      SqliteStatement insert,
      Prepare("INSERT OR REPLACE INTO policies(version, weights_hash)"
              " VALUES (?, ?)"));
  insert.Bind(policy_version).Bind(weights_hash);
  return insert.Step() == SQLITE_DONE ? absl::OkStatus()
                                      : Error("note a policy");
}

absl::Status ExperienceStore::NoteMismatches(const std::string& group_id,
                                             absl::Span<const double> members) {
  absl::MutexLock lock(&mu_);
  COHORT_ASSIGN_OR_RETURN(
      SqliteStatement insert,
      Prepare("INSERT OR REPLACE INTO mismatches(group_id, members)"
              " VALUES (?, ?)"));
  insert.Bind(group_id).BindBlob({reinterpret_cast<const char*>(members.data()),
                                  members.size() * sizeof(double)});
  return insert.Step() == SQLITE_DONE
             ? absl::OkStatus()
             : Error(absl::StrCat("note the mismatches of group ", group_id));
}

absl::StatusOr<std::vector<double>> ExperienceStore::MismatchesOf(
    const std::string& group_id) const {
  absl::MutexLock lock(&mu_);
  COHORT_ASSIGN_OR_RETURN(
      SqliteStatement exists,
      Prepare("SELECT 1 FROM sqlite_schema WHERE name = 'mismatches'"));
  std::vector<double> members;
  if (exists.Step() != SQLITE_ROW) return members;  // A store of version 1.
  COHORT_ASSIGN_OR_RETURN(
      SqliteStatement read,
      Prepare("SELECT members FROM mismatches WHERE group_id = ?"));
  if (read.Bind(group_id).Step() != SQLITE_ROW) return members;
  const std::string_view bytes = read.Bytes(0);
  members.resize(bytes.size() / sizeof(double));
  std::memcpy(members.data(), bytes.data(), members.size() * sizeof(double));
  return members;
}

absl::Status ExperienceStore::DropContents(int64_t step,
                                           int64_t policy_version) {
  absl::MutexLock lock(&mu_);
  {
    COHORT_ASSIGN_OR_RETURN(
        SqliteStatement drop,
        Prepare(
            "UPDATE groups SET contents = NULL WHERE contents IS NOT NULL"
            " AND (closed_at_step <= ? OR (eval AND newest_version <= ?))"));
    if (drop.Bind(step).Bind(policy_version).Step() != SQLITE_DONE) {
      return Error("drop old contents");
    }
  }
  return Run("PRAGMA incremental_vacuum");
}

absl::Status ExperienceStore::Sync() {
  absl::MutexLock lock(&mu_);
  // Under synchronous=NORMAL a checkpoint writes the log to the disk before the
  // database. A reader may keep it from finishing, not from doing that.
  const int result = sqlite3_wal_checkpoint_v2(
      db_.get(), nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
  return result == SQLITE_OK ? absl::OkStatus() : Error("sync");
}

absl::StatusOr<std::vector<GroupRow>> ExperienceStore::List(
    const GroupFilter& filter) const {
  absl::MutexLock lock(&mu_);
  COHORT_ASSIGN_OR_RETURN(
      SqliteStatement select,
      Prepare("SELECT group_id, stage, prompt_id, occurrence, oldest_version,"
              " state, CASE WHEN state = 'trained' THEN closed_at_step END"
              " FROM groups WHERE (?1 < 0 OR closed_at_step = ?1)"
              " AND (?2 = '' OR state = ?2) AND (?3 = '' OR stage = ?3)"
              " ORDER BY number"));
  select.Bind(filter.step).Bind(filter.state).Bind(filter.stage);
  std::vector<GroupRow> rows;
  int result = SQLITE_DONE;
  while ((result = select.Step()) == SQLITE_ROW) {
    rows.push_back({.group_id = select.Text(0),
                    .stage = select.Text(1),
                    .prompt_id = select.Text(2),
                    .occurrence = select.Number(3),
                    .policy_version = select.Number(4, -1),
                    .state = select.Text(5),
                    .trained_at_step = select.Number(6, -1)});
  }
  if (result != SQLITE_DONE) return Error("list groups");
  return rows;
}

absl::Status ExperienceStore::Run(const char* sql) const {
  return sqlite3_exec(db_.get(), sql, nullptr, nullptr, nullptr) == SQLITE_OK
             ? absl::OkStatus()
             : Error("change the database");
}

absl::StatusOr<SqliteStatement> ExperienceStore::Prepare(
    const char* sql) const {
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v2(db_.get(), sql, -1, &statement, nullptr) !=
      SQLITE_OK) {
    return Error("read the database");
  }
  return SqliteStatement(statement);
}

absl::Status ExperienceStore::InTransaction(
    const std::function<absl::Status()>& work) {
  COHORT_RETURN_IF_ERROR(Run("BEGIN IMMEDIATE"));
  absl::Status status = work();
  if (status.ok()) status = Run("COMMIT");
  // A full disk may have rolled back already; then this fails and is no news.
  if (!status.ok())
    sqlite3_exec(db_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
  return status;
}

absl::Status ExperienceStore::Error(std::string_view what) const {
  return absl::Status(SqliteStatusCode(sqlite3_errcode(db_.get())),
                      absl::StrCat(path_, ": cannot ", std::string(what), ": ",
                                   sqlite3_errmsg(db_.get())));
}

}  // namespace cohort
