// The rows of an export on their way to the disk, so that a killed export goes
// on where it was.
//
// Three files: the rows; `<rows>.seen`, what the filters remember of them; and
// `<rows>.state`, which says how much of both counts. Save() writes them in
// this order, so what stands behind the state's ends is a torn end, which
// Open() cuts off.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "learner/near_duplicates.h"
#include "proto/descriptor.h"

namespace cohort {

struct ExportProgress {
  int64_t groups = 0;  // Of the list, done.
  int64_t step = -1;   // Of a live export: all groups closed up to it are done.
  int64_t rows = 0;
  int64_t mended = 0;           // Rows with bytes that were no UTF-8.
  std::vector<int64_t> counts;  // See ExportFilter::SaveCounts.
  bool operator==(const ExportProgress&) const = default;
};

// Single-threaded.
class ExportFile {
 public:
  // Opens `path` for rows, and continues where there is a state with this
  // `key`, which stands for everything the rows depend on; else begins anew.
  //   kFailedPrecondition  another process writes it
  //   kPermissionDenied, kResourceExhausted: with the path
  static absl::StatusOr<ExportFile> Open(const std::string& path,
                                         const std::string& key);

  // Whether there is a state of `path` with this `key`, and all it counts.
  static bool Knows(const std::string& path, const std::string& key);

  // As saved; default where it begins anew.
  const ExportProgress& progress() const { return progress_; }
  const std::vector<SeenCompletion>& seen() const { return seen_; }
  void ForgetSeen() { seen_ = {}; }  // They are read once.

  std::string* rows() { return &rows_; }  // To append to.
  void AddSeen(const SeenCompletion& completion);

  // Writes what has grown too large to be kept in memory.
  absl::Status Drain();
  int64_t unsaved_bytes() const { return bytes_ + size() - saved_bytes_; }
  int64_t bytes() const { return bytes_ + size(); }

  // Returns when all is on the disk.
  absl::Status Save(const ExportProgress& progress);

  // Removes what only a continued export needs, and the rows themselves.
  void RemoveState();
  void RemoveRows();

  const std::string& path() const { return path_; }

 private:
  ExportFile(std::string path, std::string key)
      : path_(std::move(path)), key_(std::move(key)) {}

  int64_t size() const { return static_cast<int64_t>(rows_.size()); }
  absl::Status LoadState();
  absl::Status Cut();
  absl::Status Write(const Descriptor& fd, std::string* data);

  std::string path_;
  std::string key_;
  Descriptor fd_;
  Descriptor seen_fd_;
  ExportProgress progress_;
  std::vector<SeenCompletion> seen_;
  std::string rows_;        // Not yet written.
  std::string seen_bytes_;  // Likewise.
  int64_t bytes_ = 0;       // Written.
  int64_t seen_count_ = 0;
  int64_t saved_bytes_ = 0;
};

}  // namespace cohort
