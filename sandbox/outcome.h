// What happened to a program. Whether the sandbox itself worked is the IE among
// the verdicts.
#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace cohort {

// In order of precedence, the strongest last.
enum class RunVerdict {
  kAC,  // Ended by itself with exit code 0 (and, once judged, was right).
  kWA,  // Only once judged: the answer is wrong.
  kRE,  // Exit code or signal.
  kTLE,
  kOLE,  // Output, or files.
  kMLE,
  kCE,
  kSV,  // Killed by the system call filter.
  kIE,  // Our fault; never a grade.
};

// "AC", "WA", ...
absl::string_view VerdictCode(RunVerdict verdict);

struct Outcome {
  RunVerdict verdict = RunVerdict::kIE;
  int exit_code = 0;  // Where it ended by itself.
  int signal = 0;     // Where a signal ended it.
  absl::Duration cpu;
  absl::Duration wall;
  int64_t peak_memory_bytes = 0;
  int64_t disk_bytes = 0;  // Files at the end.
  int oom_kills = 0;
  int leaks = 0;    // Runs before it whose cgroup could not be removed so far.
  std::string out;  // Any bytes; at most the limit.
  std::string err;  // Likewise.
  std::string reason;  // One line; empty where all is well.
};

}  // namespace cohort
