// What one run may use.
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace cohort {

// CPU time decides; wall time only ends what sleeps. Every limit holds for all
// processes of the run together, unless it says otherwise.
struct Limits {
  absl::Duration cpu = absl::Seconds(10);
  absl::Duration wall = absl::Seconds(60);
  // The same, where its processes were ready and the machine too busy to run
  // them. No shorter than `wall`.
  absl::Duration wall_most = absl::Seconds(120);
  int64_t memory_bytes = int64_t{512} << 20;  // Files it writes count as well.
  int64_t disk_bytes = int64_t{32} << 20;     // Sum of all files it writes.
  int64_t output_bytes = int64_t{1} << 20;    // Standard output; errors alike.
  int processes = 64;                         // Threads count.
  int descriptors = 256;                      // Per process.
};

// kInvalidArgument names the first limit that is not positive, or that is
// beyond what this machine has.
absl::Status CheckLimits(const Limits& limits);

}  // namespace cohort
