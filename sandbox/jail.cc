#include "sandbox/jail.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>

namespace cohort {
namespace {

constexpr unsigned long kPlain = MS_NOSUID | MS_NODEV;

JailFailure EnterNamespaces(const RunSpec& spec, const RunFds& fds) {
  // After the cgroup was joined, so that its namespace begins there.
  if ((spec.fences & kFenceCgroup) != 0) {
    COHORT_JAIL_STEP("make a cgroup namespace", unshare(CLONE_NEWCGROUP));
  }
  if ((spec.fences & kFenceNetwork) != 0) {
    COHORT_JAIL_STEP("enter the network namespace",
                     setns(fds.network, CLONE_NEWNET));
  }
  if ((spec.fences & kFenceUts) != 0) {
    COHORT_JAIL_STEP("set the host name", sethostname("box", 3));
  }
  return {};
}

// One tmpfs, mounted over the work folder, lends its folders to the others.
JailFailure MountFiles(const RunSpec& spec) {
  char options[96];
  std::snprintf(options, sizeof(options), "size=%lld,nr_inodes=%lld,mode=0711",
                static_cast<long long>(spec.disk_bytes),
                static_cast<long long>(spec.disk_bytes / 4096 + 64));
  COHORT_JAIL_STEP("mount the work folder",
                   mount("run", "/scratch", "tmpfs", kPlain, options));
  const struct {
    const char* folder;
    const char* place;
    mode_t mode;
  } parts[] = {{"/scratch/box", kWorkFolder, 0700},
               {"/scratch/tmp", "/tmp", 01777},
               {"/scratch/shm", "/dev/shm", 01777}};
  for (const auto& part : parts) {
    COHORT_JAIL_STEP("make a folder", mkdir(part.folder, part.mode));
    COHORT_JAIL_STEP("set a folder's mode", chmod(part.folder, part.mode));
    if (spec.as_root && part.mode == 0700) {
      COHORT_JAIL_STEP("give away the work folder",
                       chown(part.folder, spec.uid, spec.uid));
    }
    COHORT_JAIL_STEP("bind a folder",
                     mount(part.folder, part.place, nullptr, MS_BIND, nullptr));
  }
  COHORT_JAIL_STEP("hide the scratch folder", umount2("/scratch", MNT_DETACH));
  return {};
}

JailFailure MountProc() {
  constexpr unsigned long kFlags = MS_NOSUID | MS_NODEV | MS_NOEXEC;
  if (mount("proc", "/proc", "proc", kFlags, "hidepid=2,subset=pid") == 0) {
    return {};
  }
  COHORT_JAIL_STEP("mount /proc",
                   mount("proc", "/proc", "proc", kFlags, "hidepid=2"));
  return {};
}

JailFailure CopyFile(const RunSpec& spec, const std::string& name, int from) {
  const int to =
      open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  COHORT_JAIL_STEP("make a file of the work folder", to);
  off_t offset = 0;
  while (true) {
    const ssize_t copied = sendfile(to, from, &offset, 1 << 20);
    COHORT_JAIL_STEP("fill a file of the work folder", copied);
    if (copied == 0) break;
  }
  if (spec.as_root) {
    COHORT_JAIL_STEP("give away a file", fchown(to, spec.uid, spec.uid));
  }
  COHORT_JAIL_STEP("close a file of the work folder", close(to));
  return {};
}

// Lets the program open /dev/stdin and its like again, whoever made them.
JailFailure GiveAwayStreams(const RunSpec& spec, const RunFds& fds) {
  if (!spec.as_root) return {};
  for (const int fd : {fds.in, fds.out, fds.err}) {
    COHORT_JAIL_STEP("give away a stream", fchown(fd, spec.uid, spec.uid));
  }
  return {};
}

}  // namespace

// Writing 0 moves the writer itself.
JailFailure JoinCgroups(const RunFds& fds) {
  for (const int procs : fds.cgroups) {
    COHORT_JAIL_STEP("join the cgroup", write(procs, "0", 1));
  }
  return {};
}

JailFailure BuildJail(const RunSpec& spec, const RunFds& fds) {
  if (const JailFailure failure = JoinCgroups(fds)) return failure;
  if (const JailFailure failure = EnterNamespaces(spec, fds)) return failure;
  if (const JailFailure failure = GiveAwayStreams(spec, fds)) return failure;
  if (const JailFailure failure = MountFiles(spec)) return failure;
  if (const JailFailure failure = MountProc()) return failure;
  COHORT_JAIL_STEP("enter the work folder", chdir(kWorkFolder));
  for (size_t i = 0; i < spec.files.size(); ++i) {
    if (const JailFailure failure =
            CopyFile(spec, spec.files[i], fds.files[i])) {
      return failure;
    }
  }
  return {};
}

}  // namespace cohort
