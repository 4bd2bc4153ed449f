// SQLite's C interface, as far as the store needs it.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace cohort {

inline absl::StatusCode SqliteStatusCode(int sqlite_code) {
  switch (sqlite_code & 0xff) {
    case SQLITE_FULL:
    case SQLITE_NOMEM:
      return absl::StatusCode::kResourceExhausted;
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_CANTOPEN:
    case SQLITE_AUTH:
      return absl::StatusCode::kPermissionDenied;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return absl::StatusCode::kUnavailable;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return absl::StatusCode::kDataLoss;
    case SQLITE_CONSTRAINT:
      return absl::StatusCode::kFailedPrecondition;
    default:
      return absl::StatusCode::kInternal;
  }
}

// A prepared statement. Bind in the order of the question marks, then Step.
class SqliteStatement {
 public:
  explicit SqliteStatement(sqlite3_stmt* statement) : statement_(statement) {}

  // The text must outlive the next Step or Reset.
  SqliteStatement& Bind(std::string_view text) {
    sqlite3_bind_text64(statement_.get(), ++bound_, text.data(), text.size(),
                        SQLITE_STATIC, SQLITE_UTF8);
    return *this;
  }
  SqliteStatement& Bind(int64_t number) {
    sqlite3_bind_int64(statement_.get(), ++bound_, number);
    return *this;
  }
  SqliteStatement& BindBlob(std::string_view bytes) {
    sqlite3_bind_blob64(statement_.get(), ++bound_, bytes.data(), bytes.size(),
                        SQLITE_STATIC);
    return *this;
  }

  int Step() { return sqlite3_step(statement_.get()); }

  void Reset() {
    sqlite3_reset(statement_.get());
    bound_ = 0;
  }

  bool IsNull(int column) {
    return sqlite3_column_type(statement_.get(), column) == SQLITE_NULL;
  }
  int64_t Number(int column, int64_t if_null = 0) {
    return IsNull(column) ? if_null
                          : sqlite3_column_int64(statement_.get(), column);
  }
  // Valid until the next Step or Reset.
  std::string_view Bytes(int column) {
    const void* const data = sqlite3_column_blob(statement_.get(), column);
    const int size = sqlite3_column_bytes(statement_.get(), column);
    return data == nullptr ? std::string_view()
                           : std::string_view(static_cast<const char*>(data),
                                              static_cast<size_t>(size));
  }
  std::string Text(int column) { return std::string(Bytes(column)); }

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const {
      sqlite3_finalize(statement);
    }
  };
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
  int bound_ = 0;
};

}  // namespace cohort
