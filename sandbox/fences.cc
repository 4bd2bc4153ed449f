#include "sandbox/fences.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

#include "sandbox/jail.h"

namespace cohort {
namespace {

// landlock_ruleset_attr as of version 6; older headers know less of it, and
// older kernels take its beginning.
struct LandlockRules {
  uint64_t paths;
  uint64_t ports;
  uint64_t scopes;
};

// Bits of LandlockRules, by the version that brought them.
constexpr uint64_t kRefer = 1 << 13;        // 2
constexpr uint64_t kTruncate = 1 << 14;     // 3
constexpr uint64_t kIoctlDevice = 1 << 15;  // 5
constexpr uint64_t kPaths1 = (1 << 13) - 1;
constexpr uint64_t kPorts4 = 3;   // Bind and connect of TCP.
constexpr uint64_t kScopes6 = 3;  // Abstract sockets and signals.

constexpr uint64_t kReading = LANDLOCK_ACCESS_FS_EXECUTE |
                              LANDLOCK_ACCESS_FS_READ_FILE |
                              LANDLOCK_ACCESS_FS_READ_DIR;
constexpr uint64_t kDevices =
    LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR |
    LANDLOCK_ACCESS_FS_WRITE_FILE | kIoctlDevice | kTruncate;
constexpr uint64_t kWriting =
    (kPaths1 | kRefer | kTruncate) &
    ~uint64_t{LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_BLOCK};

JailFailure Allow(int rules, const char* path, uint64_t access) {
  const int folder = open(path, O_PATH | O_CLOEXEC);
  if (folder < 0 && errno == ENOENT) return {};
  COHORT_JAIL_STEP("open a path for Landlock", folder);
  struct stat info = {};
  COHORT_JAIL_STEP("look at a path for Landlock", fstat(folder, &info));
  if (!S_ISDIR(info.st_mode)) {
    access &= ~(kWriting &
                ~(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE |
                  LANDLOCK_ACCESS_FS_WRITE_FILE | kTruncate));
  }
  landlock_path_beneath_attr rule = {.allowed_access = access,
                                     .parent_fd = folder};
  const long result = syscall(SYS_landlock_add_rule, rules,
                              LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
  const int error = errno;
  close(folder);
  errno = error;
  COHORT_JAIL_STEP("add a Landlock rule", result);
  return {};
}

JailFailure ClearCapabilities() {
  // Numbers above the kernel's last give EINVAL.
  for (int capability = 0; capability < 64; ++capability) {
    const int held = prctl(PR_CAPBSET_READ, capability, 0, 0, 0);
    if (held < 0) break;
    if (held == 0) continue;
    COHORT_JAIL_STEP("drop a capability",
                     prctl(PR_CAPBSET_DROP, capability, 0, 0, 0));
  }
  COHORT_JAIL_STEP("clear ambient capabilities",
                   prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0));
  __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3,
                                     .pid = 0};
  const __user_cap_data_struct none[2] = {};
  COHORT_JAIL_STEP("clear capabilities", syscall(SYS_capset, &header, none));
  return {};
}

}  // namespace

JailFailure DropPrivileges(const RunSpec& spec, uint32_t uid) {
  // Set while it is allowed: uid 0 would get capabilities back by an exec.
  COHORT_JAIL_STEP(
      "set secure bits",
      prctl(PR_SET_SECUREBITS,
            SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP |
                SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE |
                SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED,
            0, 0, 0));
  if (spec.as_root) {
    COHORT_JAIL_STEP("leave all groups", setgroups(0, nullptr));
    COHORT_JAIL_STEP("change the group", setresgid(uid, uid, uid));
    COHORT_JAIL_STEP("change the user", setresuid(uid, uid, uid));
  }
  return ClearCapabilities();
}

JailFailure SetRlimits(const RunSpec& spec) {
  const auto cpu_s =
      static_cast<rlim_t>((spec.cpu_ns + 999'999'999) / 1'000'000'000);
  const auto disk = static_cast<rlim_t>(spec.disk_bytes);
  // A file of exactly the limit would hide that the disk was full.
  constexpr rlim_t kStack = 64 << 20;
  const auto memory = static_cast<rlim_t>(spec.memory_bytes);
  // Address space is no memory: honest programs reserve much more than they
  // touch.
  const rlim_t address_space = memory * 16 + (rlim_t{64} << 30);
  const bool counted = (spec.fences & kFenceCgroup) != 0;
  // Counted per uid, which without root all runs share.
  const auto processes = spec.as_root || !counted
                             ? static_cast<rlim_t>(spec.processes)
                             : RLIM_INFINITY;
  const struct {
    __rlimit_resource what;
    rlim_t most;
  } limits[] = {
      {RLIMIT_CORE, 0},
      {RLIMIT_CPU, cpu_s + 2},
      {RLIMIT_FSIZE, disk + 4096},
      {RLIMIT_NOFILE, static_cast<rlim_t>(spec.descriptors)},
      {RLIMIT_NPROC, processes},
      {RLIMIT_STACK, std::min(kStack, memory)},
      {RLIMIT_MSGQUEUE, 0},
      {RLIMIT_MEMLOCK, 0},
      {RLIMIT_SIGPENDING, 256},
      {RLIMIT_NICE, 0},
      {RLIMIT_RTPRIO, 0},
      {RLIMIT_AS, counted ? address_space : memory},
  };
  for (const auto& limit : limits) {
    rlimit now = {};
    COHORT_JAIL_STEP("read a limit", getrlimit(limit.what, &now));
    const rlim_t most = std::min(limit.most, now.rlim_max);
    const rlimit wanted = {.rlim_cur = most, .rlim_max = most};
    COHORT_JAIL_STEP("set a limit", setrlimit(limit.what, &wanted));
  }
  return {};
}

int LandlockVersion() {
  const long version = syscall(SYS_landlock_create_ruleset, nullptr, 0,
                               LANDLOCK_CREATE_RULESET_VERSION);
  return version < 0 ? 0 : static_cast<int>(version);
}

JailFailure RestrictPaths(const RunSpec& spec) {
  const int version = LandlockVersion();
  LandlockRules attributes = {.paths = kPaths1, .ports = 0, .scopes = 0};
  if (version >= 2) attributes.paths |= kRefer;
  if (version >= 3) attributes.paths |= kTruncate;
  if (version >= 4) attributes.ports = kPorts4;
  if (version >= 5) attributes.paths |= kIoctlDevice;
  if (version >= 6) attributes.scopes = kScopes6;
  const size_t size = version >= 6   ? sizeof(attributes)
                      : version >= 4 ? sizeof(uint64_t) * 2
                                     : sizeof(uint64_t);
  const int rules = static_cast<int>(
      syscall(SYS_landlock_create_ruleset, &attributes, size, 0));
  COHORT_JAIL_STEP("make a Landlock ruleset", rules);
  for (const std::string& path : spec.readable) {
    if (const JailFailure failure =
            Allow(rules, path.c_str(), kReading & attributes.paths)) {
      return failure;
    }
  }
  for (const char* path : {kWorkFolder, "/tmp", "/dev/shm"}) {
    if (const JailFailure failure =
            Allow(rules, path, kWriting & attributes.paths)) {
      return failure;
    }
  }
  for (const char* path : {"/dev", "/proc"}) {
    if (const JailFailure failure =
            Allow(rules, path, kDevices & attributes.paths)) {
      return failure;
    }
  }
  COHORT_JAIL_STEP("enforce Landlock",
                   syscall(SYS_landlock_restrict_self, rules, 0));
  close(rules);
  return {};
}

JailFailure InstallFilter(int filter) {
  static sock_filter instructions[BPF_MAXINSNS];
  const ssize_t size = pread(filter, instructions, sizeof(instructions), 0);
  COHORT_JAIL_STEP("read the system call filter", size);
  sock_fprog program = {.len = static_cast<unsigned short>(
                            static_cast<size_t>(size) / sizeof(sock_filter)),
                        .filter = instructions};
  COHORT_JAIL_STEP("install the system call filter",
                   syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program));
  return {};
}

}  // namespace cohort
