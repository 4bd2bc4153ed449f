#include "learner/store_reader.h"

#include <sqlite3.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "learner/experience_store.h"
#include "learner/sqlite_statement.h"
#include "proto/status.h"

namespace cohort {
namespace {

// An empty statement, which no step can be made of, where the SQL is wrong.
SqliteStatement Prepare(sqlite3* db, const char* sql) {
  sqlite3_stmt* statement = nullptr;
  sqlite3_prepare_v2(db, sql, -1, &statement, nullptr);
  return SqliteStatement(statement);
}

}  // namespace

void StoreReader::CloseDatabase::operator()(sqlite3* db) const {
  sqlite3_close_v2(db);
}

StoreReader::StoreReader(std::string path, sqlite3* db)
    : path_(std::move(path)), db_(db) {}

StoreReader::~StoreReader() = default;

absl::StatusOr<std::unique_ptr<StoreReader>> StoreReader::Open(
    const std::string& path) {
  COHORT_RETURN_IF_ERROR(ExperienceStore::OpenReadOnly(path).status());
  sqlite3* db = nullptr;
  const int opened = sqlite3_open_v2(
      path.c_str(), &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, nullptr);
  std::unique_ptr<StoreReader> reader(new StoreReader(path, db));
  if (opened != SQLITE_OK) return reader->Error("open");
  sqlite3_busy_timeout(db, 10'000);  // Milliseconds; writers hold it briefly.
  return reader;
}

absl::StatusOr<std::vector<int64_t>> StoreReader::List(
    const GroupRange& range) const {
  SqliteStatement select = Prepare(
      db_.get(),
      "SELECT number FROM groups WHERE eval = 0 AND contents IS NOT NULL"
      " AND (?1 = '' OR stage = ?1)"
      " AND (closed_at_step > ?2 OR (closed_at_step IS NULL AND ?3 < 0))"
      " AND (?3 < 0 OR closed_at_step <= ?3)"
      " ORDER BY closed_at_step IS NULL, closed_at_step, stage, prompt_id,"
      " occurrence");
  select.Bind(range.stage).Bind(range.after_step).Bind(range.to_step);
  std::vector<int64_t> numbers;
  int result = SQLITE_DONE;
  while ((result = select.Step()) == SQLITE_ROW) {
    numbers.push_back(select.Number(0));
  }
  if (result != SQLITE_DONE) return Error("list groups");
  return numbers;
}

absl::Status StoreReader::Load(absl::Span<const int64_t> numbers,
                               std::vector<Group>* groups) const {
  SqliteStatement read =
      Prepare(db_.get(), "SELECT contents FROM groups WHERE number = ?");
  groups->resize(numbers.size());
  for (size_t i = 0; i < numbers.size(); ++i) {
    Group& group = (*groups)[i];
    const int result = read.Bind(numbers[i]).Step();
    if (result != SQLITE_ROW && result != SQLITE_DONE) {
      return Error(absl::StrCat("load group number ", numbers[i]));
    }
    if (result == SQLITE_DONE || read.IsNull(0)) {
      group.Clear();
    } else {
      const std::string_view contents = read.Bytes(0);
      if (!group.ParseFromArray(contents.data(),
                                static_cast<int>(contents.size()))) {
        return absl::DataLossError(absl::StrCat(path_, ": group number ",
                                                numbers[i], " cannot be read"));
      }
    }
    read.Reset();
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<int64_t>> StoreReader::Fingerprint() const {
  SqliteStatement select =
      Prepare(db_.get(),
              "SELECT count(*), max(number), max(closed_at_step),"
              " max(newest_version), count(closed_at_step) FROM groups");
  if (select.Step() != SQLITE_ROW) return Error("count groups");
  std::vector<int64_t> numbers;
  for (int i = 0; i < 5; ++i) numbers.push_back(select.Number(i, -1));
  return numbers;
}

absl::StatusOr<std::map<int64_t, std::string>> StoreReader::WeightHashes()
    const {
  std::map<int64_t, std::string> hashes;
  // Stores of schema version 1 have none.
  SqliteStatement exists =
      Prepare(db_.get(), "SELECT 1 FROM sqlite_schema WHERE name = 'policies'");
  if (exists.Step() != SQLITE_ROW) return hashes;
  SqliteStatement select =
      Prepare(db_.get(), "SELECT version, weights_hash FROM policies");
  int result = SQLITE_DONE;
  while ((result = select.Step()) == SQLITE_ROW) {
    hashes.emplace(select.Number(0), select.Text(1));
  }
  if (result != SQLITE_DONE) return Error("list policies");
  return hashes;
}

absl::Status StoreReader::Error(const std::string& what) const {
  return absl::Status(
      SqliteStatusCode(sqlite3_errcode(db_.get())),
      absl::StrCat(path_, ": cannot ", what, ": ", sqlite3_errmsg(db_.get())));
}

}  // namespace cohort
