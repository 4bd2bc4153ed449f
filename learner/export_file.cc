#include "learner/export_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"
#include "proto/rows.h"
#include "proto/status.h"

namespace cohort {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kDrainBytes = 1 << 20;

std::string SeenPath(const std::string& path) { return path + ".seen"; }
std::string StatePath(const std::string& path) { return path + ".state"; }

// One record of the `.seen` file: little endian, as the machines are.
constexpr size_t kSeenBytes = 28;

void AppendRecord(const SeenCompletion& seen, std::string* out) {
  char record[kSeenBytes];
  std::memcpy(record, &seen.prompt, 8);
  std::memcpy(record + 8, seen.words.data(), 16);
  std::memcpy(record + 24, &seen.completion, 4);
  out->append(record, kSeenBytes);
}

SeenCompletion ParseRecord(const char* record) {
  SeenCompletion seen;
  std::memcpy(&seen.prompt, record, 8);
  std::memcpy(seen.words.data(), record + 8, 16);
  std::memcpy(&seen.completion, record + 24, 4);
  return seen;
}

struct State {
  ExportProgress progress;
  int64_t bytes = 0;
  int64_t seen = 0;
};

bool ReadNumber(const Json& json, const char* name, int64_t* number) {
  const auto field = json.find(name);
  if (field == json.end() || !field->is_number_integer()) return false;
  *number = field->get<int64_t>();
  return true;
}

// None where there is no state with this key, or not all that it counts.
std::optional<State> FindState(const std::string& path,
                               const std::string& key) {
  const absl::StatusOr<std::string> text = ReadFile(StatePath(path));
  if (!text.ok()) return std::nullopt;
  const Json json = Json::parse(*text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("key") || json["key"] != key ||
      !json.contains("counts") || !json["counts"].is_array()) {
    return std::nullopt;
  }
  State state;
  ExportProgress& progress = state.progress;
  for (const Json& count : json["counts"]) {
    if (!count.is_number_integer()) return std::nullopt;
    progress.counts.push_back(count.get<int64_t>());
  }
  if (!ReadNumber(json, "groups", &progress.groups) ||
      !ReadNumber(json, "step", &progress.step) ||
      !ReadNumber(json, "rows", &progress.rows) ||
      !ReadNumber(json, "mended", &progress.mended) ||
      !ReadNumber(json, "bytes", &state.bytes) ||
      !ReadNumber(json, "seen", &state.seen)) {
    return std::nullopt;
  }
  struct stat rows = {};
  struct stat seen = {};
  if (stat(path.c_str(), &rows) != 0 || rows.st_size < state.bytes ||
      stat(SeenPath(path).c_str(), &seen) != 0 ||
      seen.st_size < state.seen * static_cast<int64_t>(kSeenBytes)) {
    return std::nullopt;
  }
  return state;
}

absl::StatusOr<Descriptor> OpenToAppend(const std::string& path) {
  Descriptor fd(
      open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666));
  if (fd.get() >= 0) return fd;
  return absl::ErrnoToStatus(errno, absl::StrCat("cannot write ", path));
}

}  // namespace

absl::StatusOr<ExportFile> ExportFile::Open(const std::string& path,
                                            const std::string& key) {
  ExportFile file(path, key);
  COHORT_ASSIGN_OR_RETURN(file.fd_, OpenToAppend(path));
  if (flock(file.fd_.get(), LOCK_EX | LOCK_NB) != 0) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, ": another export is writing it"));
  }
  COHORT_ASSIGN_OR_RETURN(file.seen_fd_, OpenToAppend(SeenPath(path)));
  COHORT_RETURN_IF_ERROR(file.LoadState());
  COHORT_RETURN_IF_ERROR(file.Cut());
  return file;
}

bool ExportFile::Knows(const std::string& path, const std::string& key) {
  return FindState(path, key).has_value();
}

absl::Status ExportFile::LoadState() {
  const std::optional<State> state = FindState(path_, key_);
  if (!state.has_value()) return absl::OkStatus();
  COHORT_ASSIGN_OR_RETURN(const std::string seen, ReadFile(SeenPath(path_)));
  progress_ = state->progress;
  bytes_ = saved_bytes_ = state->bytes;
  seen_count_ = state->seen;
  seen_.reserve(static_cast<size_t>(seen_count_));
  for (int64_t i = 0; i < seen_count_; ++i) {
    seen_.push_back(ParseRecord(seen.data() + i * kSeenBytes));
  }
  return absl::OkStatus();
}

absl::Status ExportFile::Cut() {
  // Before a byte is lost, no state may speak of it.
  if (bytes_ == 0) unlink(StatePath(path_).c_str());
  if (ftruncate(fd_.get(), bytes_) != 0 ||
      ftruncate(seen_fd_.get(),
                seen_count_ * static_cast<int64_t>(kSeenBytes)) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot cut ", path_));
  }
  return absl::OkStatus();
}

void ExportFile::AddSeen(const SeenCompletion& completion) {
  AppendRecord(completion, &seen_bytes_);
  ++seen_count_;
}

absl::Status ExportFile::Write(const Descriptor& fd, std::string* data) {
  std::string_view rest = *data;
  while (!rest.empty()) {
    const ssize_t written = write(fd.get(), rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      return absl::ErrnoToStatus(errno, absl::StrCat("cannot write ", path_));
    }
    rest.remove_prefix(static_cast<size_t>(written));
  }
  data->clear();
  return absl::OkStatus();
}

absl::Status ExportFile::Drain() {
  if (seen_bytes_.size() >= kDrainBytes) {
    COHORT_RETURN_IF_ERROR(Write(seen_fd_, &seen_bytes_));
  }
  if (rows_.size() < kDrainBytes) return absl::OkStatus();
  bytes_ += size();
  return Write(fd_, &rows_);
}

absl::Status ExportFile::Save(const ExportProgress& progress) {
  bytes_ += size();
  COHORT_RETURN_IF_ERROR(Write(fd_, &rows_));
  COHORT_RETURN_IF_ERROR(Write(seen_fd_, &seen_bytes_));
  if (fsync(fd_.get()) != 0 || fsync(seen_fd_.get()) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot sync ", path_));
  }
  const Json state = {{"key", key_},
                      {"groups", progress.groups},
                      {"step", progress.step},
                      {"rows", progress.rows},
                      {"mended", progress.mended},
                      {"counts", progress.counts},
                      {"bytes", bytes_},
                      {"seen", seen_count_}};
  COHORT_RETURN_IF_ERROR(
      WriteFileAtomically(StatePath(path_), state.dump() + "\n"));
  progress_ = progress;
  saved_bytes_ = bytes_;
  return absl::OkStatus();
}

void ExportFile::RemoveState() {
  unlink(StatePath(path_).c_str());
  unlink(SeenPath(path_).c_str());
}

void ExportFile::RemoveRows() { unlink(path_.c_str()); }

}  // namespace cohort
