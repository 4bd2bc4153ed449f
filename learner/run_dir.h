// The folder of a run, and the lock that keeps a second learner out of it.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace cohort {

class RunDir {
 public:
  // Makes the folder where it is missing, and takes its lock.
  //   kAlreadyExists       it holds a run and `resume` is false
  //   kFailedPrecondition  a learner is at work in it
  //   kPermissionDenied, kResourceExhausted: with the path
  static absl::StatusOr<RunDir> Open(const std::string& path, bool resume);

  // Only the paths, for verbs that read. kNotFound where there is no run.
  static absl::StatusOr<RunDir> OpenToRead(const std::string& path);

  // Takes back what Open() made, unless a run was begun here since.
  void Abandon();

  RunDir(RunDir&& other) noexcept;
  RunDir& operator=(RunDir&& other) noexcept;
  ~RunDir();  // Gives the lock back; so does the kernel, however we end.

  const std::string& path() const { return path_; }
  std::string config() const { return path_ + "/config.yaml"; }
  std::string metrics() const { return path_ + "/metrics.jsonl"; }
  std::string summary_json() const { return path_ + "/summary.json"; }
  std::string summary_text() const { return path_ + "/summary.txt"; }
  std::string tensorboard() const { return path_ + "/tensorboard"; }
  std::string store() const { return path_ + "/experience.sqlite"; }
  std::string checkpoints() const { return path_ + "/checkpoints"; }
  std::string logs() const { return path_ + "/logs"; }

  // Whether a run was begun here before this process.
  bool existed() const { return existed_; }

 private:
  RunDir() = default;

  std::string path_;
  bool existed_ = false;
  std::vector<std::string> made_;  // Folders that Open() made, outer first.
  int lock_fd_ = -1;
};

}  // namespace cohort
