// The inside of a run's namespaces: what init builds before the program starts.
#pragma once

#include "sandbox/jail_step.h"
#include "sandbox/run_spec.h"
#include "sandbox/spawn.h"

namespace cohort {

// Where a run's files are. /tmp and /dev/shm lie on the same file system, so
// that one size limits their sum.
inline constexpr char kWorkFolder[] = "/box";

// Moves this process to the run's cgroup, in every hierarchy.
JailFailure JoinCgroups(const RunFds& fds);

// Joins the cgroup and the slot's network, mounts the run's own file systems
// and fills the work folder. Runs in init, with all its capabilities.
JailFailure BuildJail(const RunSpec& spec, const RunFds& fds);

}  // namespace cohort
