// The children of a local run: starts, watches and ends them.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "proto/descriptor.h"

namespace cohort {

// The folder our own executable lies in. The three binaries of a build or of an
// installation lie together.
absl::StatusOr<std::string> OwnBinaryDir();

// One running child. It gets SIGTERM when its parent dies, however that
// happens (PR_SET_PDEATHSIG), so that no worker outlives a killed learner. It
// has a process group of its own: Ctrl-C reaches the parent alone, which then
// ends its children in order. Its output goes to `log_path`, appended; its
// input is empty unless it is told something, and of our descriptors it
// inherits no other.
class ChildProcess {
 public:
  // Starts `args[0]` with `args`. With `ready_prefix` set, waits up to
  // `ready_timeout` for a line on the child's standard output that begins with
  // it; ready_line() then holds the rest of that line.
  //   kNotFound          no such program; other codes: why it, or the log,
  //                      cannot be opened
  //   kDeadlineExceeded  no such line in time (the child is killed)
  //   kUnavailable       the child ended first
  // Call from a thread that lives as long as the child: the kernel ties
  // PR_SET_PDEATHSIG to the thread that forked.
  static absl::StatusOr<ChildProcess> Start(
      const std::vector<std::string>& args, const std::string& log_path,
      const std::string& ready_prefix = "",
      absl::Duration ready_timeout = absl::Seconds(30));

  // Starts `args[0]` with `args`; its standard input is what Tell() says.
  //   kNotFound and other codes: as above
  static absl::StatusOr<ChildProcess> StartToTell(
      const std::vector<std::string>& args, const std::string& log_path);

  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&& other) noexcept;
  ~ChildProcess();  // Stop(5 s).

  pid_t pid() const { return pid_; }
  const std::string& ready_line() const { return ready_line_; }

  // Writes a line to the standard input of a child of StartToTell(). It is lost
  // on a child that has ended.
  void Tell(std::string_view line);

  // Reaps the child if it has ended, and ends what is left of its process
  // group. Never blocks for long.
  bool Running();

  // How it ended, for people: "exit code 3", "signal 9 (Killed)". Empty while
  // it runs.
  std::string HowItEnded() const;

  // CPU seconds of the child (user + system), so far or, once it has been
  // reaped, in all.
  double CpuSeconds();

  // SIGTERM, then SIGKILL after `patience`; returns when it has been reaped.
  void Stop(absl::Duration patience);

 private:
  class OutputPipe;

  ChildProcess();

  pid_t pid_ = -1;                      // -1 once moved from.
  Descriptor input_;                    // A socket; none: the input is empty.
  std::unique_ptr<OutputPipe> output_;  // Null: the child writes to the log.
  bool ended_ = false;
  int wait_status_ = 0;
  double cpu_seconds_ = 0;
  std::string ready_line_;
};

}  // namespace cohort
