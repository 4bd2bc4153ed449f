// One run's processes: the tiny init that is PID 1 of its namespaces, and the
// program below it.
//
//   launcher
//     |- init      PID 1: joins the cgroup, mounts, reaps; holds no descriptor
//     |  |         but the report's, no capability, and a uid of its own
//     |  `- program   the untrusted part
//     `- zygote
//        `- program   of a zygote run: joins the namespaces of such an init
//
// Init ends when the program does, and the kernel ends all that is left with
// it. It dies with the launcher. Nothing here uses Abseil: the same code runs
// inside a zygote.
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
  // Of a zygote run: a socket on which init says that the jail stands, and the
  // program that it has joined; init's end of a pipe that the launcher closes
  // when the program has ended; and, for the zygote, init itself.
  int meeting = -1;
  int ended = -1;
  int init = -1;
};

// How many descriptors a request for `spec` brings to the launcher.
size_t RequestFds(const RunSpec& spec);

// The descriptors of a request, in order. Requires RequestFds(spec) of them.
RunFds ArrangeFds(const RunSpec& spec, const FdMessage& message);

// The same for what the launcher passes on to a zygote.
size_t LeastZygoteFds(const RunSpec& spec);
RunFds ArrangeZygoteFds(const RunSpec& spec, const FdMessage& message);
std::vector<int> ListZygoteFds(const RunFds& fds);

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

struct Spawned {
  pid_t pid = -1;  // Of init; negative: `error` says why.
  int pidfd = -1;
  int error = 0;
};

// Starts a run, or, for a zygote, the init of one. Returns in the caller alone.
Spawned SpawnRun(const RunSpec& spec, const RunFds& fds);

// Forks the program of a zygote run. Returns its pid, or a negative number; and
// 0 in the program itself, once it has joined its init, all fences are up and
// descriptors 0 to 3 are the run's.
pid_t ForkProgram(const RunSpec& spec, const RunFds& fds);

// What a zygote says of a program: it has ended, or could not be forked.
struct ZygoteReply {
  uint64_t id = 0;
  int64_t forked = 0;
  int64_t wait_status = 0;
  int64_t cpu_ns = 0;
  int64_t max_rss_bytes = 0;
};

}  // namespace cohort
