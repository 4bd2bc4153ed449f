// How a launcher becomes able to start runs.
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "proto/status.h"
#include "sandbox/embedded.h"
#include "sandbox/fences.h"
#include "sandbox/launcher.h"
#include "sandbox/root_tree.h"
#include "sandbox/syscall_filter.h"

namespace cohort {
namespace {

constexpr char kLibraryName[] = "zygote.so";
constexpr char kScriptName[] = "zygote.py";
// The inside of a user namespace; outside it is the caller.
constexpr uint32_t kInsideUid = 1000;

bool HasCapability(int capability) {
  __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3,
                                     .pid = 0};
  __user_cap_data_struct data[2] = {};
  if (syscall(SYS_capget, &header, data) != 0) return false;
  return (data[capability / 32].effective >> (capability % 32) & 1) != 0;
}

absl::Status WriteText(const char* path, const std::string& text) {
  const Descriptor file(open(path, O_WRONLY | O_CLOEXEC));
  if (file.get() < 0 || write(file.get(), text.data(), text.size()) !=
                            static_cast<ssize_t>(text.size())) {
    return absl::ErrnoToStatus(errno, absl::StrCat("write ", path));
  }
  return absl::OkStatus();
}

std::string ReadText(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// Leaves the work to a child and waits for its end.
absl::Status ContinueInChild() {
  const pid_t outer = getpid();
  const pid_t pid = fork();
  if (pid < 0) return absl::ErrnoToStatus(errno, "fork the launcher");
  if (pid > 0) {
    syscall(SYS_close_range, 0U, ~0U, 0);
    waitpid(pid, nullptr, 0);
    _exit(0);
  }
  prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  // Seen from a pid namespace of its own, the parent is 0 while it lives there.
  return getppid() == 0 || getppid() == outer
             ? absl::OkStatus()
             : absl::UnavailableError("the launcher's parent is gone");
}

// A user namespace with all capabilities in it, and a pid namespace that is its
// own: a zygote may come back to that one alone from those of its programs.
absl::Status EnterUserNamespace() {
  const uid_t uid = geteuid();
  const gid_t gid = getegid();
  if (unshare(CLONE_NEWUSER | CLONE_NEWPID) != 0) {
    return absl::ErrnoToStatus(
        errno, "neither root nor allowed to make a user namespace");
  }
  COHORT_RETURN_IF_ERROR(WriteText("/proc/self/setgroups", "deny"));
  COHORT_RETURN_IF_ERROR(WriteText("/proc/self/uid_map",
                                   absl::StrCat(kInsideUid, " ", uid, " 1")));
  COHORT_RETURN_IF_ERROR(WriteText("/proc/self/gid_map",
                                   absl::StrCat(kInsideUid, " ", gid, " 1")));
  return ContinueInChild();
}

// Lets what is executed keep the capabilities, though it is not root, or no
// capability may be won by an execution any more.
void PassOnCapabilities() {
  __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3,
                                     .pid = 0};
  __user_cap_data_struct data[2] = {};
  if (syscall(SYS_capget, &header, data) != 0) return;
  for (__user_cap_data_struct& half : data) half.inheritable = half.permitted;
  if (syscall(SYS_capset, &header, data) != 0) return;
  for (unsigned capability = 0; capability < 64; ++capability) {
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0);
  }
}

// Done once instead of in every run, which begins as a copy of this process;
// there it is seen to again.
void ForbidNewCapabilities() {
  for (unsigned capability = 0; capability < 64; ++capability) {
    if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0) return;
  }
}

absl::StatusOr<Descriptor> InMemory(const std::string& content) {
  Descriptor memory(memfd_create("sandbox", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (memory.get() < 0 || write(memory.get(), content.data(), content.size()) !=
                              static_cast<ssize_t>(content.size())) {
    return absl::ErrnoToStatus(errno, "keep a filter in memory");
  }
  fcntl(memory.get(), F_ADD_SEALS,
        F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
  return memory;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Launcher>> Launcher::Make(
    const LauncherOptions& options) {
  std::unique_ptr<Launcher> launcher(new Launcher(options));
  signal(SIGCHLD, SIG_IGN);  // Runs are followed by their pidfds.
  signal(SIGPIPE, SIG_IGN);
  launcher->cgroups_ = std::make_unique<Cgroups>(Cgroups::Find());
  COHORT_RETURN_IF_ERROR(launcher->BecomeAble());
  // In a pid namespace of its own it would find others under its numbers.
  if (launcher->as_root_) {
    launcher->proc_ =
        Descriptor(open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }
  COHORT_RETURN_IF_ERROR(launcher->MakeSlots());
  COHORT_RETURN_IF_ERROR(launcher->MakeFilters());
  RootTree tree;
  tree.mounts = options.mounts;
  if (!options.zygotes.empty()) {
    // A copy: a bind would tell every run where it was built.
    tree.written_files.emplace_back(kLibraryName,
                                    ReadText(options.zygote_library));
    tree.written_files.emplace_back(kScriptName, std::string(kZygoteScript));
  }
  COHORT_ASSIGN_OR_RETURN(launcher->shared_, EnterRootTree(tree));
  for (const std::string& interpreter : options.zygotes) {
    launcher->zygotes_.emplace_back().interpreter = interpreter;
    COHORT_RETURN_IF_ERROR(launcher->StartZygote(&launcher->zygotes_.back()));
  }
  SendFdMessage(options.socket, launcher->Report(), {});
  fcntl(options.socket, F_SETFL, O_NONBLOCK);
  return launcher;
}

absl::Status Launcher::BecomeAble() {
  as_root_ = HasCapability(CAP_SYS_ADMIN) && HasCapability(CAP_SETUID) &&
             HasCapability(CAP_SETGID) && HasCapability(CAP_SETPCAP) &&
             HasCapability(CAP_CHOWN);
  if (!as_root_) COHORT_RETURN_IF_ERROR(EnterUserNamespace());
  PassOnCapabilities();
  ForbidNewCapabilities();
  return absl::OkStatus();
}

// A network namespace costs about a millisecond, so slots keep theirs. Nothing
// can be left in it: no process, no interface that is up.
absl::Status Launcher::MakeSlots() {
  for (int i = 0; i < options_.slots; ++i) {
    Slot slot;
    if (unshare(CLONE_NEWNET) != 0) {
      network_missing_ = std::strerror(errno);
    } else {
      slot.network =
          Descriptor(open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
    }
    slots_.push_back(std::move(slot));
  }
  return absl::OkStatus();
}

absl::Status Launcher::MakeFilters() {
  for (const std::string& extra : options_.filters) {
    COHORT_ASSIGN_OR_RETURN(
        const std::string filter,
        CompileFilter(absl::StrSplit(extra, ',', absl::SkipEmpty())));
    COHORT_ASSIGN_OR_RETURN(filters_.emplace_back(), InMemory(filter));
  }
  if (prctl(PR_GET_SECCOMP, 0, 0, 0, 0) < 0) {
    seccomp_missing_ = std::strerror(errno);
  }
  return absl::OkStatus();
}

std::string Launcher::Report() const {
  const auto line = [](bool there, absl::string_view name,
                       absl::string_view detail) {
    return absl::StrCat(there ? "ok " : "missing ", name, " ", detail, "\n");
  };
  const std::string counters = cgroups_->Missing();
  const int landlock = LandlockVersion();
  return absl::StrCat(
      line(true, "user",
           as_root_ ? absl::StrCat("uids from ", options_.first_uid)
                    : std::string("a user namespace with one uid")),
      line(true, "namespaces", "pid, mount, ipc, uts, cgroup"),
      line(network_missing_.empty(), "network",
           network_missing_.empty() ? "one namespace per slot"
                                    : network_missing_),
      line(counters.empty(), "cgroups",
           counters.empty()
               ? cgroups_->kind()
               : absl::StrCat(cgroups_->kind(), ", without ", counters)),
      line(seccomp_missing_.empty(), "seccomp",
           absl::StrCat(filters_.size(), " filters")),
      line(landlock > 0, "landlock", absl::StrCat("version ", landlock)));
}

absl::Status Launcher::StartZygote(Zygote* zygote) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
    return absl::ErrnoToStatus(errno, "make a zygote's socket");
  }
  zygote->socket = Descriptor(ends[0]);
  const Descriptor far_end(ends[1]);
  const pid_t launcher = getpid();
  const pid_t pid = fork();
  if (pid < 0) return absl::ErrnoToStatus(errno, "fork a zygote");
  if (pid > 0) {
    zygote->pid = pid;
    fcntl(zygote->socket.get(), F_SETFL, O_NONBLOCK);
    return absl::OkStatus();
  }
  prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  if (getppid() != launcher) _exit(1);
  const int nothing = open("/dev/null", O_RDWR);
  dup2(nothing, 0);
  dup2(nothing, 1);
  dup2(far_end.get(), 3);
  syscall(SYS_close_range, 4, ~0U, 0);
  const std::string script = absl::StrCat("/.cohort/", kScriptName);
  const std::string library = absl::StrCat("/.cohort/", kLibraryName);
  const char* const argv[] = {zygote->interpreter.c_str(), "-s", script.c_str(),
                              library.c_str(), nullptr};
  const char* const env[] = {"PATH=/usr/bin:/bin",
                             "HOME=/box",
                             "LANG=C.UTF-8",
                             "LC_ALL=C.UTF-8",
                             "TZ=UTC",
                             "PYTHONHASHSEED=0",
                             "PYTHONDONTWRITEBYTECODE=1",
                             nullptr};
  execve(argv[0], const_cast<char**>(argv), const_cast<char**>(env));
  _exit(127);
}

// Init is ours, the program a child of the zygote's that joins it.
absl::Status Launcher::StartFromZygote(Run* run, RunFds fds) {
  Zygote& zygote = zygotes_[run->spec.zygote - 1];
  int ended[2];
  int meeting[2];
  if (pipe2(ended, O_CLOEXEC) != 0) {
    return absl::ErrnoToStatus(errno, "make a pipe");
  }
  const Descriptor init_ended(ended[0]);
  run->ended = Descriptor(ended[1]);
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, meeting) != 0) {
    return absl::ErrnoToStatus(errno, "make a socket");
  }
  const Descriptor init_meeting(meeting[0]);
  const Descriptor program_meeting(meeting[1]);
  fds.ended = init_ended.get();
  fds.meeting = init_meeting.get();
  const Spawned spawned = SpawnRun(run->spec, fds);
  if (spawned.pid < 0) return absl::ErrnoToStatus(spawned.error, "clone init");
  run->pidfd = Descriptor(spawned.pidfd);
  fds.meeting = program_meeting.get();
  fds.init = run->pidfd.get();
  if (!SendFdMessage(zygote.socket.get(), SerializeRunSpec(run->spec),
                     ListZygoteFds(fds))) {
    Kill(run, EndReason::kLauncher);
  }
  return absl::OkStatus();
}

void Launcher::TakeZygoteReplies(Zygote* zygote) {
  while (true) {
    const std::optional<FdMessage> message =
        ReceiveFdMessage(zygote->socket.get());
    if (!message.has_value() && errno == EAGAIN) return;
    ZygoteReply reply;
    if (!message.has_value() || message->bytes.size() != sizeof(reply)) break;
    std::memcpy(&reply, message->bytes.data(), sizeof(reply));
    const auto run = runs_.find(reply.id);
    if (run == runs_.end()) continue;
    if (reply.forked == 0) {
      Kill(run->second.get(), EndReason::kLauncher);
      continue;
    }
    zygote->failures = 0;
    run->second->program_end = reply;
    run->second->ended = Descriptor();
  }
  // It is gone, and whoever would say how its programs end.
  const auto number = static_cast<uint32_t>(zygote - zygotes_.data()) + 1;
  for (const auto& [id, run] : runs_) {
    if (run->spec.zygote == number && !run->program_end.has_value()) {
      Kill(run.get(), EndReason::kLauncher);
    }
  }
  if (++zygote->failures > 5 || !StartZygote(zygote).ok()) {
    zygote->socket = Descriptor();
  }
}

}  // namespace cohort
