#include "sandbox/syscall_filter.h"

#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "absl/strings/str_cat.h"
#include "proto/descriptor.h"
#include "proto/status.h"

namespace cohort {
namespace {

constexpr const char* kAllowed[] = {
    // Memory.
    "brk",
    "madvise",
    "membarrier",
    "memfd_create",
    "mincore",
    "mlock",
    "mmap",
    "mprotect",
    "mremap",
    "msync",
    "munlock",
    "munmap",
    "pkey_alloc",
    "pkey_free",
    "pkey_mprotect",
    // Descriptors.
    "close",
    "close_range",
    "copy_file_range",
    "dup",
    "dup2",
    "dup3",
    "epoll_create",
    "epoll_create1",
    "epoll_ctl",
    "epoll_pwait",
    "epoll_pwait2",
    "epoll_wait",
    "eventfd",
    "eventfd2",
    "fcntl",
    "fadvise64",
    "fallocate",
    "fdatasync",
    "flock",
    "fsync",
    "ftruncate",
    "lseek",
    "pipe",
    "pipe2",
    "poll",
    "ppoll",
    "pread64",
    "preadv",
    "preadv2",
    "pselect6",
    "pwrite64",
    "pwritev",
    "pwritev2",
    "read",
    "readv",
    "select",
    "sendfile",
    "signalfd",
    "signalfd4",
    "splice",
    "tee",
    "timerfd_create",
    "timerfd_gettime",
    "timerfd_settime",
    "write",
    "writev",
    // Files, as far as the mounts let them.
    "access",
    "chdir",
    "chmod",
    "chown",
    "creat",
    "faccessat",
    "faccessat2",
    "fchdir",
    "fchmod",
    "fchmodat",
    "fchown",
    "fchownat",
    "fgetxattr",
    "flistxattr",
    "fstat",
    "fstatfs",
    "futimesat",
    "getcwd",
    "getdents",
    "getdents64",
    "getxattr",
    "lchown",
    "lgetxattr",
    "link",
    "linkat",
    "listxattr",
    "llistxattr",
    "lstat",
    "mkdir",
    "mkdirat",
    "mknod",
    "mknodat",
    "newfstatat",
    "open",
    "openat",
    "openat2",
    "readlink",
    "readlinkat",
    "rename",
    "renameat",
    "renameat2",
    "rmdir",
    "stat",
    "statfs",
    "statx",
    "symlink",
    "symlinkat",
    "sync_file_range",
    "truncate",
    "umask",
    "unlink",
    "unlinkat",
    "utime",
    "utimensat",
    "utimes",
    // Sockets without a name: both ends are the program's own.
    "getpeername",
    "getsockname",
    "getsockopt",
    "recvfrom",
    "recvmmsg",
    "recvmsg",
    "sendmmsg",
    "sendmsg",
    "sendto",
    "setsockopt",
    "shutdown",
    // Processes and threads.
    "arch_prctl",
    "execve",
    "execveat",
    "exit",
    "exit_group",
    "fork",
    "futex",
    "futex_waitv",
    "get_robust_list",
    "getpgid",
    "getpgrp",
    "getpid",
    "getppid",
    "getsid",
    "gettid",
    "kill",
    "pidfd_open",
    "pidfd_send_signal",
    "restart_syscall",
    "rseq",
    "rt_sigqueueinfo",
    "rt_tgsigqueueinfo",
    "set_robust_list",
    "set_tid_address",
    "setpgid",
    "setsid",
    "tgkill",
    "tkill",
    "vfork",
    "wait4",
    "waitid",
    // Signals and time.
    "alarm",
    "clock_getres",
    "clock_gettime",
    "clock_nanosleep",
    "getitimer",
    "gettimeofday",
    "nanosleep",
    "pause",
    "rt_sigaction",
    "rt_sigpending",
    "rt_sigprocmask",
    "rt_sigreturn",
    "rt_sigsuspend",
    "rt_sigtimedwait",
    "setitimer",
    "sigaltstack",
    "time",
    "timer_create",
    "timer_delete",
    "timer_getoverrun",
    "timer_gettime",
    "timer_settime",
    "times",
    // What the machine and the process are.
    "capget",
    "getcpu",
    "getegid",
    "geteuid",
    "getgid",
    "getgroups",
    "getpriority",
    "getrandom",
    "getresgid",
    "getresuid",
    "getrlimit",
    "getrusage",
    "getuid",
    "sched_get_priority_max",
    "sched_get_priority_min",
    "sched_getaffinity",
    "sched_getattr",
    "sched_getparam",
    "sched_getscheduler",
    "sched_yield",
    "setrlimit",
    "sysinfo",
    "uname",
};

// No runtime needs these; a try is an attack.
constexpr const char* kKilled[] = {
    "acct",
    "add_key",
    "bpf",
    "chroot",
    "clock_adjtime",
    "clock_settime",
    "delete_module",
    "fanotify_init",
    "finit_module",
    "fsconfig",
    "fsmount",
    "fsopen",
    "fspick",
    "init_module",
    "io_uring_enter",
    "io_uring_register",
    "io_uring_setup",
    "ioperm",
    "iopl",
    "kcmp",
    "kexec_file_load",
    "kexec_load",
    "keyctl",
    "mount",
    "mount_setattr",
    "move_mount",
    "open_by_handle_at",
    "open_tree",
    "perf_event_open",
    "pidfd_getfd",
    "pivot_root",
    "process_madvise",
    "process_vm_readv",
    "process_vm_writev",
    "ptrace",
    "quotactl",
    "reboot",
    "request_key",
    "setdomainname",
    "sethostname",
    "setns",
    "settimeofday",
    "swapoff",
    "swapon",
    "umount2",
    "unshare",
    "userfaultfd",
    "vhangup",
};

constexpr uint64_t kNewNamespaces = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC |
                                    CLONE_NEWUSER | CLONE_NEWPID |
                                    CLONE_NEWNET | CLONE_NEWCGROUP | 0x80;

struct ReleaseFilter {
  void operator()(void* filter) const { seccomp_release(filter); }
};
using Filter = std::unique_ptr<void, ReleaseFilter>;

absl::Status Check(int result, absl::string_view what) {
  if (result >= 0) return absl::OkStatus();
  return absl::InternalError(
      absl::StrCat("seccomp: ", what, ": error ", -result));
}

// Adds a rule for a call by name; calls this architecture lacks are left out.
template <typename... Arguments>
absl::Status Add(const Filter& filter, uint32_t action, const char* name,
                 Arguments... arguments) {
  const int number = seccomp_syscall_resolve_name(name);
  if (number < 0) return absl::OkStatus();
  return Check(seccomp_rule_add(filter.get(), action, number,
                                static_cast<unsigned>(sizeof...(Arguments)),
                                arguments...),
               name);
}

// Calls whose arguments decide. No pointers: what they point at may change.
absl::Status AddConditional(const Filter& filter) {
  constexpr uint32_t kAllow = SCMP_ACT_ALLOW;
  COHORT_RETURN_IF_ERROR(Add(filter, SCMP_ACT_ERRNO(ENOSYS), "clone3"));
  COHORT_RETURN_IF_ERROR(
      Add(filter, kAllow, "clone",
          SCMP_A0(SCMP_CMP_MASKED_EQ, kNewNamespaces, uint64_t{0})));
  COHORT_RETURN_IF_ERROR(
      Add(filter, kAllow, "socketpair", SCMP_A0(SCMP_CMP_EQ, AF_UNIX)));
  // Only asking, not setting.
  COHORT_RETURN_IF_ERROR(Add(filter, kAllow, "personality",
                             SCMP_A0(SCMP_CMP_EQ, uint64_t{0xffffffff})));
  COHORT_RETURN_IF_ERROR(
      Add(filter, kAllow, "prlimit64", SCMP_A0(SCMP_CMP_EQ, uint64_t{0})));
  // No request that writes to a terminal's input queue, or configures one.
  for (const unsigned long request :
       {TCGETS, TIOCGWINSZ, TIOCGPGRP, FIONREAD, FIONBIO, FIOCLEX, FIONCLEX}) {
    COHORT_RETURN_IF_ERROR(
        Add(filter, kAllow, "ioctl", SCMP_A1(SCMP_CMP_EQ, request)));
  }
  for (const int option :
       {PR_SET_NAME, PR_GET_NAME, PR_SET_PDEATHSIG, PR_GET_PDEATHSIG,
        PR_GET_DUMPABLE, PR_SET_DUMPABLE, PR_CAPBSET_READ, PR_SET_TIMERSLACK,
        PR_GET_TIMERSLACK, PR_GET_NO_NEW_PRIVS, PR_SET_NO_NEW_PRIVS,
        0x53564d41 /* PR_SET_VMA */}) {
    COHORT_RETURN_IF_ERROR(
        Add(filter, kAllow, "prctl", SCMP_A0(SCMP_CMP_EQ, uint64_t(option))));
  }
  return absl::OkStatus();
}

absl::Status AddExtra(const Filter& filter,
                      const std::vector<std::string>& extra) {
  for (const std::string& name : extra) {
    if (seccomp_syscall_resolve_name(name.c_str()) == __NR_SCMP_ERROR) {
      return absl::InvalidArgumentError(
          absl::StrCat("no system call '", name, "'"));
    }
    if (std::find(std::begin(kKilled), std::end(kKilled), name) !=
        std::end(kKilled)) {
      return absl::InvalidArgumentError(
          absl::StrCat("system call '", name, "' is never allowed"));
    }
    COHORT_RETURN_IF_ERROR(Add(filter, SCMP_ACT_ALLOW, name.c_str()));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> Export(const Filter& filter) {
  const Descriptor memory(memfd_create("filter", MFD_CLOEXEC));
  if (memory.get() < 0) return absl::ErrnoToStatus(errno, "memfd_create");
  COHORT_RETURN_IF_ERROR(
      Check(seccomp_export_bpf(filter.get(), memory.get()), "export"));
  std::string instructions(
      static_cast<size_t>(lseek(memory.get(), 0, SEEK_END)), '\0');
  if (pread(memory.get(), instructions.data(), instructions.size(), 0) !=
      static_cast<ssize_t>(instructions.size())) {
    return absl::ErrnoToStatus(errno, "read the filter");
  }
  return instructions;
}

}  // namespace

absl::StatusOr<std::string> CompileFilter(
    const std::vector<std::string>& extra) {
  const Filter filter(seccomp_init(SCMP_ACT_ERRNO(EPERM)));
  if (filter == nullptr) return absl::InternalError("seccomp_init failed");
  COHORT_RETURN_IF_ERROR(
      Check(seccomp_attr_set(filter.get(), SCMP_FLTATR_ACT_BADARCH,
                             SCMP_ACT_KILL_PROCESS),
            "foreign architectures"));
  // A binary tree instead of one long comparison chain.
  COHORT_RETURN_IF_ERROR(Check(
      seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2), "optimize"));
  for (const char* name : kAllowed) {
    COHORT_RETURN_IF_ERROR(Add(filter, SCMP_ACT_ALLOW, name));
  }
  for (const char* name : kKilled) {
    COHORT_RETURN_IF_ERROR(Add(filter, SCMP_ACT_KILL_PROCESS, name));
  }
  COHORT_RETURN_IF_ERROR(AddConditional(filter));
  COHORT_RETURN_IF_ERROR(AddExtra(filter, extra));
  return Export(filter);
}

}  // namespace cohort
