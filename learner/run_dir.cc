#include "learner/run_dir.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "proto/status.h"

namespace cohort {
namespace {

absl::Status MakeFolder(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (!error) return absl::OkStatus();
  return absl::ErrnoToStatus(error.value(),
                             absl::StrCat(path, ": cannot make the folder"));
}

// The lock file is there in every folder that a learner ever opened, so it says
// nothing about a run.
bool HoldsARun(const RunDir& dir) {
  std::error_code ignored;
  for (const std::string& path :
       {dir.config(), dir.metrics(), dir.store(), dir.checkpoints()}) {
    if (std::filesystem::exists(path, ignored)) return true;
  }
  return false;
}

}  // namespace

absl::StatusOr<RunDir> RunDir::Open(const std::string& path, bool resume) {
  RunDir dir;
  dir.path_ = path;
  COHORT_RETURN_IF_ERROR(MakeFolder(path));

  const std::string lock = path + "/lock";
  dir.lock_fd_ = open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (dir.lock_fd_ < 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat(lock, ": cannot open"));
  }
  if (flock(dir.lock_fd_, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) {
      return absl::FailedPreconditionError(
          absl::StrCat(path, ": a learner is at work in this run directory"));
    }
    return absl::ErrnoToStatus(errno, absl::StrCat(lock, ": cannot lock"));
  }

  dir.existed_ = HoldsARun(dir);
  if (dir.existed_ && !resume) {
    return absl::AlreadyExistsError(absl::StrCat(
        path,
        ": holds a run; continue it with --resume or choose another "
        "run.dir"));
  }
  for (const std::string& folder :
       {dir.checkpoints(), dir.logs(), dir.tensorboard()}) {
    COHORT_RETURN_IF_ERROR(MakeFolder(folder));
  }
  return dir;
}

absl::StatusOr<RunDir> RunDir::OpenToRead(const std::string& path) {
  RunDir dir;
  dir.path_ = path;
  dir.existed_ = HoldsARun(dir);
  if (!dir.existed_) {
    return absl::NotFoundError(absl::StrCat(path, ": no run here"));
  }
  return dir;
}

RunDir::RunDir(RunDir&& other) noexcept
    : path_(std::move(other.path_)),
      existed_(other.existed_),
      lock_fd_(std::exchange(other.lock_fd_, -1)) {}

RunDir& RunDir::operator=(RunDir&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(existed_, other.existed_);
  std::swap(lock_fd_, other.lock_fd_);
  return *this;
}

RunDir::~RunDir() {
  if (lock_fd_ >= 0) close(lock_fd_);
}

}  // namespace cohort
