// One grading worker: a process that grades what comes over a socket, so that
// whatever a completion makes a library do ends here and nowhere else.
#pragma once

#include <cstdint>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "rewards/graders.h"

namespace cohort {

// What one worker may use.
struct WorkerLimits {
  int64_t memory_bytes = int64_t{768} << 20;  // Private writable memory.
  // For one completion; the bound on the graders' own work is far below it.
  absl::Duration cpu = absl::Seconds(5);
};

// Frames from a worker begin with one of these: a Grade; the end of a request
// whose prompt and completions are done; an error ("<code> <message>").
enum class WorkerFrame : char { kGrade = 'g', kDone = 'd', kError = 'e' };

// Reads GradeRequests from `socket` (rewards/frames.h) and answers each with
// its grades, then kDone; or kError. Returns the exit code when the other end
// is gone.
int RunGradeWorker(const GraderMap& graders, const WorkerLimits& limits,
                   int socket);

// The other side of kError.
absl::Status ParseWorkerError(std::string_view text);

}  // namespace cohort
