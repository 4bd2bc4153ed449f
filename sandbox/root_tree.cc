#include "sandbox/root_tree.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <climits>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "proto/status.h"

namespace cohort {
namespace {

constexpr char kOld[] = "/old";
constexpr unsigned long kReadOnly =
    MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV;

absl::Status Check(long result, absl::string_view what,
                   absl::string_view where) {
  if (result >= 0) return absl::OkStatus();
  return absl::ErrnoToStatus(errno, absl::StrCat(what, " ", where));
}

absl::Status MakeFolder(const std::string& path, mode_t mode = 0755) {
  if (mkdir(path.c_str(), mode) == 0) {
    return Check(chmod(path.c_str(), mode), "set the mode of", path);
  }
  return errno == EEXIST ? absl::OkStatus() : Check(-1, "make folder", path);
}

// All folders above `path`.
absl::Status MakeParents(const std::string& path) {
  for (size_t slash = path.find('/', 1); slash != std::string::npos;
       slash = path.find('/', slash + 1)) {
    COHORT_RETURN_IF_ERROR(MakeFolder(path.substr(0, slash)));
  }
  return absl::OkStatus();
}

absl::Status WriteText(const std::string& path, const std::string& text) {
  const Descriptor file(
      open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  COHORT_RETURN_IF_ERROR(Check(file.get(), "make", path));
  if (write(file.get(), text.data(), text.size()) !=
      static_cast<ssize_t>(text.size())) {
    return Check(-1, "write", path);
  }
  return absl::OkStatus();
}

// Flags that a user namespace must keep on what it binds.
unsigned long LockedFlags(const std::string& path) {
  struct statvfs info = {};
  if (statvfs(path.c_str(), &info) != 0) return 0;
  unsigned long flags = 0;
  if ((info.f_flag & ST_NOEXEC) != 0) flags |= MS_NOEXEC;
  if ((info.f_flag & ST_NOATIME) != 0) flags |= MS_NOATIME;
  if ((info.f_flag & ST_NODIRATIME) != 0) flags |= MS_NODIRATIME;
  if ((info.f_flag & ST_RELATIME) != 0) flags |= MS_RELATIME;
  return flags;
}

absl::Status Bind(const std::string& from, const std::string& to,
                  unsigned long flags) {
  COHORT_RETURN_IF_ERROR(Check(
      mount(from.c_str(), to.c_str(), nullptr, MS_BIND, nullptr), "bind", to));
  if (flags == 0) return absl::OkStatus();
  return Check(
      mount(nullptr, to.c_str(), nullptr, flags | LockedFlags(to), nullptr),
      "make read-only", to);
}

absl::Status BindRuntime(const std::string& path) {
  const std::string from = kOld + path;
  struct stat info = {};
  if (lstat(from.c_str(), &info) != 0) return absl::OkStatus();
  COHORT_RETURN_IF_ERROR(MakeParents(path));
  if (S_ISLNK(info.st_mode)) {
    char target[PATH_MAX] = {};
    COHORT_RETURN_IF_ERROR(Check(
        readlink(from.c_str(), target, sizeof(target) - 1), "read", path));
    return Check(symlink(target, path.c_str()), "link", path);
  }
  if (S_ISDIR(info.st_mode)) {
    COHORT_RETURN_IF_ERROR(MakeFolder(path));
  } else {
    COHORT_RETURN_IF_ERROR(WriteText(path, ""));
  }
  return Bind(from, path, kReadOnly);
}

absl::Status MakeDevices() {
  COHORT_RETURN_IF_ERROR(MakeFolder("/dev"));
  COHORT_RETURN_IF_ERROR(MakeFolder("/dev/shm"));
  for (const char* name : {"null", "zero", "full", "random", "urandom"}) {
    const std::string path = absl::StrCat("/dev/", name);
    COHORT_RETURN_IF_ERROR(WriteText(path, ""));
    COHORT_RETURN_IF_ERROR(Bind(kOld + path, path, 0));
  }
  const std::pair<const char*, const char*> links[] = {
      {"/proc/self/fd", "/dev/fd"},
      {"/proc/self/fd/0", "/dev/stdin"},
      {"/proc/self/fd/1", "/dev/stdout"},
      {"/proc/self/fd/2", "/dev/stderr"}};
  for (const auto& [target, path] : links) {
    COHORT_RETURN_IF_ERROR(Check(symlink(target, path), "link", path));
  }
  return absl::OkStatus();
}

absl::Status MakeOwnFiles(const RootTree& tree) {
  for (const char* folder : {"/etc", "/proc", "/box", "/scratch", "/.cohort"}) {
    COHORT_RETURN_IF_ERROR(MakeFolder(folder));
  }
  COHORT_RETURN_IF_ERROR(MakeFolder("/tmp", 01777));
  COHORT_RETURN_IF_ERROR(WriteText(
      "/etc/passwd",
      "root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534:nobody:/box:/bin/sh\n"));
  COHORT_RETURN_IF_ERROR(
      WriteText("/etc/group", "root:x:0:\nnogroup:x:65534:\n"));
  COHORT_RETURN_IF_ERROR(WriteText("/etc/hosts", "127.0.0.1 localhost\n"));
  COHORT_RETURN_IF_ERROR(
      WriteText("/etc/nsswitch.conf", "passwd: files\ngroup: files\n"));
  for (const auto& [name, content] : tree.written_files) {
    COHORT_RETURN_IF_ERROR(WriteText("/.cohort/" + name, content));
  }
  return absl::OkStatus();
}

// A tmpfs seen twice: writable through the descriptor, read-only in the tree.
absl::StatusOr<Descriptor> MakeShared() {
  const std::string path = "/.cohort/shared";
  COHORT_RETURN_IF_ERROR(MakeFolder(path));
  COHORT_RETURN_IF_ERROR(Check(mount("shared", "/scratch", "tmpfs",
                                     MS_NOSUID | MS_NODEV, "size=1g,mode=0755"),
                               "mount", path));
  Descriptor writable(open("/scratch", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  COHORT_RETURN_IF_ERROR(Check(writable.get(), "open", path));
  COHORT_RETURN_IF_ERROR(Bind("/scratch", path, kReadOnly));
  COHORT_RETURN_IF_ERROR(
      Check(umount2("/scratch", MNT_DETACH), "detach", "/scratch"));
  return writable;
}

// Makes a new tmpfs the root; the old one is then at kOld.
absl::Status Pivot() {
  COHORT_RETURN_IF_ERROR(
      Check(unshare(CLONE_NEWNS), "make a mount namespace", ""));
  COHORT_RETURN_IF_ERROR(
      Check(mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr),
            "make mounts private", ""));
  COHORT_RETURN_IF_ERROR(
      Check(mount("root", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV,
                  "size=16m,mode=0755"),
            "mount", "the new root"));
  COHORT_RETURN_IF_ERROR(MakeFolder("/tmp/old"));
  COHORT_RETURN_IF_ERROR(
      Check(syscall(SYS_pivot_root, "/tmp", "/tmp/old"), "pivot_root", ""));
  return Check(chdir("/"), "enter", "/");
}

}  // namespace

absl::StatusOr<Descriptor> EnterRootTree(const RootTree& tree) {
  COHORT_RETURN_IF_ERROR(Pivot());
  for (const std::string& path : tree.mounts) {
    COHORT_RETURN_IF_ERROR(BindRuntime(path));
  }
  COHORT_RETURN_IF_ERROR(MakeDevices());
  COHORT_RETURN_IF_ERROR(MakeOwnFiles(tree));
  // A user namespace may mount a /proc only where one is in sight; every run
  // covers this one with its own.
  COHORT_RETURN_IF_ERROR(
      Check(mount("/old/proc", "/proc", nullptr, MS_BIND | MS_REC, nullptr),
            "bind", "/proc"));
  COHORT_ASSIGN_OR_RETURN(Descriptor shared, MakeShared());
  COHORT_RETURN_IF_ERROR(
      Check(umount2(kOld, MNT_DETACH), "leave the old root", ""));
  COHORT_RETURN_IF_ERROR(Check(rmdir(kOld), "remove", kOld));
  COHORT_RETURN_IF_ERROR(Check(
      mount(nullptr, "/", nullptr,
            MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV, nullptr),
      "make read-only", "/"));
  return shared;
}

}  // namespace cohort
