// One run's processes: the tiny init that is PID 1 of its namespaces, and the
// program below it.
//
//   launcher or zygote
//     `- init      PID 1: joins the cgroup, mounts, reaps; holds no descriptor
//        |         but the report's, no capability, and a uid of its own
//        `- program   the untrusted part
//
// Init ends when the program does, and the kernel ends all that is left with
// it. It dies with whoever spawned it. Nothing here uses Abseil: the same code
// runs inside a zygote.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "sandbox/fd_message.h"
#include "sandbox/run_spec.h"

namespace cohort {

// The descriptors of a run, in the order in which they travel.
struct RunFds {
  int in = -1;
  int out = -1;
  int err = -1;
  int channel = -1;  // Where spec.has_channel.
  int program = -1;  // Where spec.has_program.
  std::vector<int> files;
  // The launcher's own.
  int report = -1;           // Where init writes a RunReport.
  int filter = -1;           // The filter's instructions, in memory.
  int network = -1;          // The slot's network namespace.
  std::vector<int> cgroups;  // "cgroup.procs" of every hierarchy.
};

// How many descriptors a request for `spec` brings; with `launcher`, those of
// the launcher as well, as it passes them on to a zygote.
size_t RequestFds(const RunSpec& spec, bool launcher, size_t cgroups);

// The descriptors of `message`, in order. Requires the right number.
RunFds ArrangeFds(const RunSpec& spec, const FdMessage& message, bool launcher);
std::vector<int> ListFds(const RunFds& fds);

enum class ReportKind : int32_t { kNothing, kEnded, kFailed };

// What init says at the end, as it stands.
struct RunReport {
  ReportKind kind = ReportKind::kNothing;
  int32_t wait_status = 0;    // kEnded: of the program.
  int32_t error = 0;          // kFailed: the errno of `step`.
  char step[44] = {};         // kFailed: what could not be done.
  int64_t disk_bytes = 0;     // Files at the end.
  int64_t disk_full = 0;      // 1 where none were left.
  int64_t cpu_ns = 0;         // Of the program and its reaped children.
  int64_t max_rss_bytes = 0;  // Of the largest process.
};

// What a spawn gives to whom.
struct Spawned {
  bool in_program = false;  // This is a zygote's program: all fences are up.
  pid_t pid = -1;           // Of init; negative: `error` says why.
  int pidfd = -1;
  int error = 0;
};

// Starts a run. In the caller returns at once. In the program of a zygote run
// returns once the fences are up and descriptors 0 to 3 are the run's;
// otherwise the program is executed and nothing returns.
Spawned SpawnRun(const RunSpec& spec, const RunFds& fds);

}  // namespace cohort
