// What a process gives up, for good, before it becomes the untrusted program.
#pragma once

#include "sandbox/jail_step.h"
#include "sandbox/run_spec.h"

namespace cohort {

// Takes the uid of the run and gives up every capability, now and after an
// exec.
JailFailure DropPrivileges(const RunSpec& spec, uint32_t uid);

// The per-process limits.
JailFailure SetRlimits(const RunSpec& spec);

// Paths by kind of access. Where the kernel has no Landlock: ENOSYS or
// EOPNOTSUPP. Requires no_new_privs.
JailFailure RestrictPaths(const RunSpec& spec);

// Installs the instructions (struct sock_filter, as they stand) that the file
// `filter` holds. Requires no_new_privs.
JailFailure InstallFilter(int filter);

// The version of Landlock that the kernel has; 0: none.
int LandlockVersion();

}  // namespace cohort
