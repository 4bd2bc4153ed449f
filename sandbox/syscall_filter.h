// The system calls that untrusted programs may make.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace cohort {

// Compiles an allow list to the instructions of a seccomp filter (struct
// sock_filter, as they stand). On the list: what runtimes need to compute, to
// use their files, threads and processes; and `extra`, by name. Of the rest,
// what only an attack needs kills the process; anything else fails with EPERM.
// Foreign architectures are killed; clone3, whose flags no filter can see, is
// "not there", so that libraries take clone.
//   kInvalidArgument  no such call as `extra` names, or one that kills
absl::StatusOr<std::string> CompileFilter(
    const std::vector<std::string>& extra);

}  // namespace cohort
