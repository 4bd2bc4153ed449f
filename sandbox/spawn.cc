#include "sandbox/spawn.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>

#include "sandbox/fences.h"
#include "sandbox/jail.h"

namespace cohort {
namespace {

// Init's own, as root: no program has it.
constexpr uint32_t kInitUid = 65533;

int64_t Nanoseconds(const timeval& time) {
  return int64_t{time.tv_sec} * 1'000'000'000 + int64_t{time.tv_usec} * 1000;
}

[[noreturn]] void EndWithFailure(int report_fd, const JailFailure& failure) {
  RunReport report;
  report.kind = ReportKind::kFailed;
  report.error = failure.error;
  std::strncpy(report.step, failure.step, sizeof(report.step) - 1);
  const ssize_t written = write(report_fd, &report, sizeof(report));
  _exit(written == sizeof(report) ? 120 : 121);
}

// Closes every descriptor from 3 on but those in `kept`.
void CloseAllBut(std::vector<int> kept) {
  std::sort(kept.begin(), kept.end());
  unsigned first = 3;
  for (const int fd : kept) {
    if (fd < 3) continue;
    const auto number = static_cast<unsigned>(fd);
    if (number > first) syscall(SYS_close_range, first, number - 1, 0);
    first = number + 1;
  }
  syscall(SYS_close_range, first, ~0U, 0);
}

// Signals as they are at the start of a program.
void ResetSignals() {
  struct sigaction plain = {};
  plain.sa_handler = SIG_DFL;
  for (int number = 1; number < NSIG; ++number) {
    sigaction(number, &plain, nullptr);
  }
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
}

// A copy of `fd` above those that get a fixed number, closed by an exec.
int Lifted(int fd) { return fcntl(fd, F_DUPFD_CLOEXEC, 100); }

// Makes the run's descriptors 0 to 3 and closes what is left, but `kept`.
JailFailure PlaceDescriptors(const RunSpec& spec, const RunFds& fds,
                             std::vector<int> kept) {
  const int in = Lifted(fds.in);
  const int out = Lifted(fds.out);
  const int err = Lifted(fds.err);
  const int channel = spec.has_channel ? Lifted(fds.channel) : -1;
  COHORT_JAIL_STEP("place standard input", dup2(in, 0));
  COHORT_JAIL_STEP("place standard output", dup2(out, 1));
  COHORT_JAIL_STEP("place standard error", dup2(err, 2));
  if (spec.has_channel) {
    COHORT_JAIL_STEP("place the channel", dup2(channel, 3));
    kept.push_back(3);
  }
  CloseAllBut(std::move(kept));
  return {};
}

// From here on there is no way back to any privilege.
JailFailure RaiseFences(const RunSpec& spec, int filter) {
  umask(022);
  if (setsid() < 0 && errno != EPERM) return {"start a session", errno};
  COHORT_JAIL_STEP("set no_new_privs", prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
  if ((spec.fences & kFenceRlimits) != 0) {
    if (const JailFailure failure = SetRlimits(spec)) return failure;
  }
  if ((spec.fences & kFenceUser) != 0) {
    if (const JailFailure failure = DropPrivileges(spec, spec.uid)) {
      return failure;
    }
  }
  // An exec does this too; without it a zygote's program could not open its own
  // /proc/self/fd.
  COHORT_JAIL_STEP("be dumpable", prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
  if ((spec.fences & kFenceLandlock) != 0) {
    if (const JailFailure failure = RestrictPaths(spec)) return failure;
  }
  if ((spec.fences & kFenceSeccomp) != 0) return InstallFilter(filter);
  return {};
}

[[noreturn]] void Execute(const RunSpec& spec, int program, int report) {
  std::vector<char*> argv;
  for (const std::string& text : spec.argv) {
    argv.push_back(const_cast<char*>(text.c_str()));
  }
  argv.push_back(nullptr);
  std::vector<char*> env;
  for (const std::string& text : spec.env) {
    env.push_back(const_cast<char*>(text.c_str()));
  }
  env.push_back(nullptr);
  if (program >= 0) {
    execveat(program, "", argv.data(), env.data(), AT_EMPTY_PATH);
  } else {
    execve(argv[0], argv.data(), env.data());
  }
  EndWithFailure(report, {"execute the program", errno});
}

// The program's process. Returns only in a zygote.
void BecomeProgram(const RunSpec& spec, const RunFds& fds) {
  const int report = Lifted(fds.report);
  const int filter = fds.filter >= 0 ? Lifted(fds.filter) : -1;
  const int program = spec.has_program ? Lifted(fds.program) : -1;
  if (const JailFailure failure =
          PlaceDescriptors(spec, fds, {report, filter, program})) {
    EndWithFailure(report, failure);
  }
  ResetSignals();
  if (const JailFailure failure = RaiseFences(spec, filter)) {
    EndWithFailure(report, failure);
  }
  if (spec.zygote == 0) Execute(spec, program, report);
  close(report);
  close(filter);
}

RunReport Report(int wait_status, const rusage& usage) {
  RunReport report;
  report.kind = ReportKind::kEnded;
  report.wait_status = wait_status;
  report.cpu_ns = Nanoseconds(usage.ru_utime) + Nanoseconds(usage.ru_stime);
  report.max_rss_bytes = int64_t{usage.ru_maxrss} * 1024;
  struct statfs disk = {};
  if (statfs(kWorkFolder, &disk) == 0) {
    report.disk_bytes = static_cast<int64_t>((disk.f_blocks - disk.f_bfree)) *
                        int64_t{disk.f_bsize};
    report.disk_full = disk.f_bfree == 0 || disk.f_ffree == 0 ? 1 : 0;
  }
  return report;
}

// Reaps until the program has ended, says how, and ends all of the namespace.
[[noreturn]] void Reap(pid_t program, int report_fd) {
  while (true) {
    int wait_status = 0;
    rusage usage = {};
    const pid_t ended = wait4(-1, &wait_status, 0, &usage);
    if (ended < 0 && errno == EINTR) continue;
    if (ended < 0) _exit(122);
    if (ended != program) continue;
    const RunReport report = Report(wait_status, usage);
    const ssize_t written = write(report_fd, &report, sizeof(report));
    _exit(written == sizeof(report) ? 0 : 121);
  }
}

// Gives up all that init needed to build the jail.
JailFailure Retire(const RunSpec& spec, std::vector<int> kept) {
  for (int fd = 0; fd < 3; ++fd) close(fd);
  CloseAllBut(std::move(kept));
  if (const JailFailure failure = DropPrivileges(spec, kInitUid)) {
    return failure;
  }
  // A change of uid forgets it, and makes the process readable to its own.
  prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  return {};
}

// The init of a zygote run: the program comes from elsewhere and is reaped
// there, what it leaves behind by the kernel.
[[noreturn]] void RunInitForZygote(const RunSpec& spec, const RunFds& fds) {
  const int report = Lifted(fds.report);
  const int meeting = Lifted(fds.meeting);
  const int ended = Lifted(fds.ended);
  signal(SIGCHLD, SIG_IGN);
  char byte = 'r';
  // It joins while we are still what it may look at.
  if (write(meeting, &byte, 1) != 1 || read(meeting, &byte, 1) != 1) {
    EndWithFailure(report, {"meet the program", errno});
  }
  if (const JailFailure failure = Retire(spec, {report, ended})) {
    EndWithFailure(report, failure);
  }
  while (read(ended, &byte, 1) < 0 && errno == EINTR) {
  }
  const RunReport last = Report(0, {});
  const ssize_t written = write(report, &last, sizeof(last));
  _exit(written == sizeof(last) ? 0 : 121);
}

[[noreturn]] void RunInit(const RunSpec& spec, const RunFds& fds) {
  prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  ResetSignals();  // Children are waited for, whatever the launcher does.
  if (const JailFailure failure = BuildJail(spec, fds)) {
    EndWithFailure(fds.report, failure);
  }
  if (spec.zygote != 0) RunInitForZygote(spec, fds);
  const pid_t program = fork();
  if (program < 0) EndWithFailure(fds.report, {"fork the program", errno});
  if (program == 0) {
    BecomeProgram(spec, fds);
    _exit(124);  // It was executed, or has said why not.
  }
  const int report = Lifted(fds.report);
  if (const JailFailure failure = Retire(spec, {report})) {
    EndWithFailure(report, failure);
  }
  Reap(program, report);
}

// In the child of a zygote: into the cgroup and the namespaces of its init.
JailFailure JoinInit(const RunSpec& spec, const RunFds& fds) {
  // Those that are init's own; the others are ours as well.
  int namespaces = CLONE_NEWNS;
  if ((spec.fences & kFenceIpc) != 0) namespaces |= CLONE_NEWIPC;
  if ((spec.fences & kFenceUts) != 0) namespaces |= CLONE_NEWUTS;
  if ((spec.fences & kFenceNetwork) != 0) namespaces |= CLONE_NEWNET;
  if ((spec.fences & kFenceCgroup) != 0) namespaces |= CLONE_NEWCGROUP;
  char byte = 0;
  COHORT_JAIL_STEP("wait for init", read(fds.meeting, &byte, 1) == 1 ? 0 : -1);
  if (const JailFailure failure = JoinCgroups(fds)) return failure;
  COHORT_JAIL_STEP("join init's namespaces", setns(fds.init, namespaces));
  COHORT_JAIL_STEP("enter the work folder", chdir(kWorkFolder));
  COHORT_JAIL_STEP("tell init", write(fds.meeting, &byte, 1));
  return {};
}

}  // namespace

size_t RequestFds(const RunSpec& spec) {
  return 3 + (spec.has_channel ? 1 : 0) + (spec.has_program ? 1 : 0) +
         spec.files.size();
}

RunFds ArrangeFds(const RunSpec& spec, const FdMessage& message) {
  size_t next = 0;
  const auto take = [&] { return message.fds[next++].get(); };
  RunFds fds;
  fds.in = take();
  fds.out = take();
  fds.err = take();
  if (spec.has_channel) fds.channel = take();
  if (spec.has_program) fds.program = take();
  for (size_t i = 0; i < spec.files.size(); ++i) fds.files.push_back(take());
  return fds;
}

size_t LeastZygoteFds(const RunSpec& spec) {
  return 7 + (spec.has_channel ? 1 : 0);
}

RunFds ArrangeZygoteFds(const RunSpec& spec, const FdMessage& message) {
  size_t next = 0;
  const auto take = [&] { return message.fds[next++].get(); };
  RunFds fds;
  fds.in = take();
  fds.out = take();
  fds.err = take();
  fds.report = take();
  fds.filter = take();
  fds.meeting = take();
  fds.init = take();
  if (spec.has_channel) fds.channel = take();
  while (next < message.fds.size()) fds.cgroups.push_back(take());
  return fds;
}

std::vector<int> ListZygoteFds(const RunFds& fds) {
  std::vector<int> list = {fds.in,     fds.out,     fds.err, fds.report,
                           fds.filter, fds.meeting, fds.init};
  if (fds.channel >= 0) list.push_back(fds.channel);
  list.insert(list.end(), fds.cgroups.begin(), fds.cgroups.end());
  return list;
}

Spawned SpawnRun(const RunSpec& spec, const RunFds& fds) {
  int pidfd = -1;
  clone_args args = {};
  args.flags = CLONE_PIDFD | CLONE_NEWPID | CLONE_NEWNS;
  if ((spec.fences & kFenceIpc) != 0) args.flags |= CLONE_NEWIPC;
  if ((spec.fences & kFenceUts) != 0) args.flags |= CLONE_NEWUTS;
  args.pidfd = reinterpret_cast<uint64_t>(&pidfd);
  args.exit_signal = SIGCHLD;
  const long pid = syscall(SYS_clone3, &args, sizeof(args));
  if (pid < 0) return {.pid = -1, .pidfd = -1, .error = errno};
  if (pid == 0) RunInit(spec, fds);
  return {.pid = static_cast<pid_t>(pid), .pidfd = pidfd};
}

pid_t ForkProgram(const RunSpec& spec, const RunFds& fds) {
  // Ours, to come back to: only children enter a pid namespace.
  static const int self =
      static_cast<int>(syscall(SYS_pidfd_open, getpid(), 0));
  if (setns(fds.init, CLONE_NEWPID) != 0) return -1;
  const pid_t pid = fork();
  if (pid == 0) {
    if (const JailFailure failure = JoinInit(spec, fds)) {
      EndWithFailure(fds.report, failure);
    }
    BecomeProgram(spec, fds);
    return 0;
  }
  // Where this fails, no run of this zygote can be right any more.
  if (setns(self, CLONE_NEWPID) != 0) _exit(125);
  return pid;
}

}  // namespace cohort
