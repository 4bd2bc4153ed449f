#include "learner/run_dir.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "proto/status.h"

namespace cohort {
namespace {

namespace fs = std::filesystem;

// Adds to `made` the folders on the way that were missing.
absl::Status MakeFolder(const std::string& path,
                        std::vector<std::string>* made) {
  std::error_code error;
  std::vector<std::string> missing;
  for (fs::path p = path; !p.empty() && !fs::exists(p, error);
       p = p.parent_path()) {
    missing.push_back(p.string());
  }
  fs::create_directories(path, error);
  if (error) {
    return absl::ErrnoToStatus(error.value(),
                               absl::StrCat(path, ": cannot make the folder"));
  }
  made->insert(made->end(), missing.rbegin(), missing.rend());
  return absl::OkStatus();
}

// Whether `path` still names the open file. It may have been removed meanwhile,
// and then another one locked in its place.
bool IsFileAt(int fd, const std::string& path) {
  struct stat open_file = {};
  struct stat named = {};
  return fstat(fd, &open_file) == 0 && stat(path.c_str(), &named) == 0 &&
         open_file.st_dev == named.st_dev && open_file.st_ino == named.st_ino;
}

// Folders, logs and the lock are there wherever a learner was ever started, so
// they say nothing about a run.
bool HoldsARun(const RunDir& dir) {
  std::error_code ignored;
  for (const std::string& path : {dir.config(), dir.metrics(), dir.store()}) {
    if (fs::exists(path, ignored)) return true;
  }
  return false;
}

}  // namespace

absl::StatusOr<RunDir> RunDir::Open(const std::string& path, bool resume) {
  RunDir dir;
  dir.path_ = path;
  COHORT_RETURN_IF_ERROR(MakeFolder(path, &dir.made_));

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

  if (!IsFileAt(dir.lock_fd_, lock)) {
    return absl::UnavailableError(absl::StrCat(
        lock, ": another learner has just given the folder up; try again"));
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
    COHORT_RETURN_IF_ERROR(MakeFolder(folder, &dir.made_));
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

void RunDir::Abandon() {
  if (HoldsARun(*this)) return;
  const auto made = [this](const std::string& folder) {
    return std::find(made_.begin(), made_.end(), folder) != made_.end();
  };
  std::error_code ignored;
  if (made(logs())) fs::remove_all(logs(), ignored);
  if (made(path_)) fs::remove(path_ + "/lock", ignored);
  for (auto folder = made_.rbegin(); folder != made_.rend(); ++folder) {
    fs::remove(*folder, ignored);  // What is not empty stays.
  }
}

RunDir::RunDir(RunDir&& other) noexcept
    : path_(std::move(other.path_)),
      existed_(other.existed_),
      made_(std::move(other.made_)),
      lock_fd_(std::exchange(other.lock_fd_, -1)) {}

RunDir& RunDir::operator=(RunDir&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(existed_, other.existed_);
  std::swap(made_, other.made_);
  std::swap(lock_fd_, other.lock_fd_);
  return *this;
}

RunDir::~RunDir() {
  if (lock_fd_ >= 0) close(lock_fd_);
}

}  // namespace cohort
