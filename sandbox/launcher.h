// The launcher: a small process that alone holds the privileges. It starts runs
// for one sandbox, ends them at their limits, and cleans up. When the sandbox's
// process goes, however that happens, it ends all runs and itself.
//
// Single-threaded. Source of the design: one socket, whole messages, no path
// that a program could shape is ever opened, as the CVEs of other judges teach
// (CVE-2024-28185, CVE-2024-28189).
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proto/descriptor.h"
#include "sandbox/cgroups.h"
#include "sandbox/launch_protocol.h"

namespace cohort {

struct LauncherOptions {
  int socket = 3;
  int slots = 4;
  uint32_t first_uid = 200000;
  std::vector<std::string> mounts;
  std::vector<std::string> filters;  // Extra system calls of each, "a,b".
  std::vector<std::string> zygotes;  // Interpreters, from number 1 on.
  std::string zygote_library;        // The shared library they load.
};

// A warmed interpreter that forks runs.
struct Zygote {
  std::string interpreter;
  Descriptor socket;
  pid_t pid = -1;
  int failures = 0;  // In a row.
};

class Launcher {
 public:
  // Prepares everything and sends the report. What is missing is reported, not
  // an error; an error means that nothing can run.
  static absl::StatusOr<std::unique_ptr<Launcher>> Make(
      const LauncherOptions& options);

  // Serves until the other end of the socket is closed.
  void Serve();

 private:
  struct Slot {
    Descriptor network;
    bool busy = false;
  };
  struct Run {
    RunSpec spec;
    Descriptor client;
    Descriptor report;
    Descriptor pidfd;
    Descriptor ended;  // Closed when a zygote's program has ended.
    std::optional<ZygoteReply> program_end;
    RunCgroup cgroup;
    size_t slot = 0;
    int64_t begin_ns = 0;
    int64_t next_look_ns = 0;
    int64_t wall_limit_ns = 0;  // The spec's, and what it waited for a CPU.
    EndReason reason = EndReason::kItself;
    bool killed = false;
  };
  struct Remains {
    RunCgroup cgroup;
    int64_t since_ns;
  };

  explicit Launcher(const LauncherOptions& options) : options_(options) {}
  absl::Status BecomeAble();
  absl::Status MakeSlots();
  absl::Status MakeFilters();
  std::string Report() const;

  void TakeRequests();
  void TakeRequest(FdMessage message);
  void ShareFile(const FdMessage& message, const std::string& name);
  absl::Status Start(Run* run, FdMessage* message);
  absl::Status StartFromZygote(Run* run, RunFds fds);
  absl::Status StartZygote(Zygote* zygote);
  void TakeZygoteReplies(Zygote* zygote);
  void Look(Run* run, int64_t now_ns);
  int64_t WaitedForCpuNs(const Run& run) const;
  void Kill(Run* run, EndReason reason);
  void Finish(Run* run);
  void Fail(const Run& run, const absl::Status& status);
  void RemoveRemains();
  int32_t Leaks() const;
  int Timeout(int64_t now_ns) const;
  void PollOnce();

  const LauncherOptions options_;
  bool as_root_ = false;
  std::string network_missing_;
  std::string seccomp_missing_;
  std::unique_ptr<Cgroups> cgroups_;
  Descriptor shared_;  // The folder all runs see.
  Descriptor proc_;    // The machine's /proc.
  std::vector<Slot> slots_;
  std::vector<Descriptor> filters_;
  std::vector<Zygote> zygotes_;
  std::map<uint64_t, std::unique_ptr<Run>> runs_;
  std::vector<Remains> remains_;
  bool open_ = true;
};

}  // namespace cohort
