// What a sandbox and its launcher say to each other, over one SOCK_SEQPACKET
// socket for requests and one for each run.
//
//   sandbox -> launcher   RunSpec, with the run's socket and its descriptors
//   launcher -> sandbox   on the run's socket: one RunEnd, then nothing more
//   sandbox -> launcher   the end of the run's socket: kill it
#pragma once

#include <cstdint>
#include <string>
#include <type_traits>

#include "sandbox/spawn.h"

namespace cohort {

enum class EndReason : int32_t {
  kItself,  // Its program ended.
  kCpu,     // Killed at the limit.
  kWall,
  kMemory,    // The kernel's OOM killer took part of it.
  kAsked,     // Killed because the sandbox said so, or was gone.
  kLauncher,  // The launcher could not start or follow it; see report.step.
};

struct RunEnd {
  EndReason reason = EndReason::kLauncher;
  int32_t oom_kills = 0;
  int32_t leaks = 0;   // Ended runs whose cgroup is there long after.
  int64_t cpu_ns = 0;  // Of all its processes.
  int64_t wall_ns = 0;
  int64_t peak_memory_bytes = 0;
  RunReport report;
};
static_assert(std::is_trivially_copyable_v<RunEnd>);

// The launcher's first message is a report for people and for the sandbox:
// lines "ok|missing|broken <name> <detail>".

// A file for the folder that all runs see: this instead of a RunSpec, followed
// by the plain name, with one descriptor. Answered by a byte on the same
// socket.
inline constexpr char kShareFile[] = "share ";

}  // namespace cohort
