#include "sandbox/cgroups.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <iterator>
#include <map>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "proto/status.h"

namespace cohort {
namespace {

constexpr absl::string_view kPrefix = "cohort-";

std::string ReadText(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

bool WriteAt(int folder, const char* name, absl::string_view text) {
  const Descriptor file(openat(folder, name, O_WRONLY | O_CLOEXEC));
  return file.get() >= 0 && write(file.get(), text.data(), text.size()) ==
                                static_cast<ssize_t>(text.size());
}

bool HasFile(int folder, const char* name) {
  return faccessat(folder, name, F_OK, 0) == 0;
}

Descriptor OpenFolder(int at, const std::string& path) {
  return Descriptor(
      openat(at, path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

Descriptor OpenFile(int folder, const char* name, int flags) {
  return Descriptor(openat(folder, name, flags | O_CLOEXEC));
}

std::string ReadAll(int file) {
  char text[512];
  const ssize_t size = pread(file, text, sizeof(text), 0);
  return std::string(text, size < 0 ? 0 : static_cast<size_t>(size));
}

// A file that is one number, or the number behind `key` in a file of lines.
int64_t ReadNumber(int file, absl::string_view key) {
  if (file < 0) return 0;
  const std::string text = ReadAll(file);
  int64_t number = 0;
  if (key.empty()) {
    return absl::SimpleAtoi(text, &number) ? number : 0;
  }
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    const std::vector<absl::string_view> words = absl::StrSplit(line, ' ');
    if (words.size() == 2 && words[0] == key &&
        absl::SimpleAtoi(words[1], &number)) {
      return number;
    }
  }
  return 0;
}

// When process `pid` began, in ticks since boot; empty where there is none.
std::string StartTime(const std::string& pid) {
  const std::string stat = ReadText(absl::StrCat("/proc/", pid, "/stat"));
  // The name, in brackets, may hold anything.
  const size_t end = stat.rfind(')');
  if (end == std::string::npos) return "";
  const std::vector<std::string> fields =
      absl::StrSplit(stat.substr(end + 1), ' ', absl::SkipEmpty());
  return fields.size() > 19 ? fields[19] : "";
}

std::vector<std::string> FoldersIn(int folder) {
  std::vector<std::string> names;
  const int copy = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR* const list = copy < 0 ? nullptr : fdopendir(copy);
  if (list == nullptr) return names;
  while (const dirent* entry = readdir(list)) {
    if (entry->d_type == DT_DIR && entry->d_name[0] != '.') {
      names.emplace_back(entry->d_name);
    }
  }
  closedir(list);
  return names;
}

// Ends what is left in a cgroup and removes it with those below it.
void RemoveTree(int parent, const std::string& name) {
  {
    const Descriptor folder = OpenFolder(parent, name);
    if (folder.get() < 0) return;
    for (const std::string& below : FoldersIn(folder.get())) {
      RemoveTree(folder.get(), below);
    }
    const Descriptor procs = OpenFile(folder.get(), "cgroup.procs", O_RDONLY);
    for (const absl::string_view line :
         absl::StrSplit(ReadAll(procs.get()), '\n', absl::SkipEmpty())) {
      pid_t pid = 0;
      if (absl::SimpleAtoi(line, &pid) && pid > 1) kill(pid, SIGKILL);
    }
  }
  for (int attempt = 0; attempt < 100; ++attempt) {
    if (unlinkat(parent, name.c_str(), AT_REMOVEDIR) == 0 || errno != EBUSY) {
      return;
    }
    usleep(1000);
  }
}

// Removes the folders of launchers that are gone.
void RemoveStale(int parent) {
  for (const std::string& name : FoldersIn(parent)) {
    if (!absl::StartsWith(name, kPrefix)) continue;
    const std::vector<std::string> words = absl::StrSplit(name, '-');
    if (words.size() != 3 || StartTime(words[1]) == words[2]) continue;
    RemoveTree(parent, name);
  }
}

struct Mounted {
  std::string path;
  bool v2 = false;
  std::vector<std::string> controllers;  // v1.
};

std::vector<Mounted> MountedHierarchies() {
  std::vector<Mounted> found;
  const std::string mounts = ReadText("/proc/self/mounts");
  for (const absl::string_view line : absl::StrSplit(mounts, '\n')) {
    const std::vector<std::string> words = absl::StrSplit(line, ' ');
    if (words.size() < 4) continue;
    if (words[2] == "cgroup2") {
      found.push_back({.path = words[1], .v2 = true, .controllers = {}});
    } else if (words[2] == "cgroup") {
      found.push_back({.path = words[1],
                       .v2 = false,
                       .controllers = absl::StrSplit(words[3], ',')});
    }
  }
  return found;
}

// Where this process is in each hierarchy, by controller; "" is v2.
std::map<std::string, std::string> OwnPaths() {
  std::map<std::string, std::string> paths;
  for (const absl::string_view line :
       absl::StrSplit(ReadText("/proc/self/cgroup"), '\n')) {
    const std::vector<std::string> words =
        absl::StrSplit(line, absl::MaxSplits(':', 2));
    if (words.size() != 3) continue;
    for (const absl::string_view name : absl::StrSplit(words[1], ',')) {
      paths[std::string(name)] = words[2];
    }
  }
  return paths;
}

bool Contains(const std::vector<std::string>& names, absl::string_view name) {
  for (const std::string& each : names) {
    if (each == name) return true;
  }
  return false;
}

}  // namespace

Cgroups Cgroups::Find() {
  Cgroups found;
  const std::string pid = absl::StrCat(getpid());
  found.name_ = absl::StrCat(kPrefix, pid, "-", StartTime(pid));
  const std::map<std::string, std::string> own = OwnPaths();
  const std::vector<Mounted> mounted = MountedHierarchies();
  // v1 first: where both are there, a controller is in one of them, and v2
  // counts CPU time in any case.
  for (const bool v2 : {false, true}) {
    for (const Mounted& hierarchy : mounted) {
      if (hierarchy.v2 != v2) continue;
      std::string path;
      for (const auto& [controller, place] : own) {
        const bool here = v2 ? controller.empty()
                             : Contains(hierarchy.controllers, controller);
        if (here) path = place;
      }
      found.Try(hierarchy.path + (path == "/" ? "" : path), v2,
                hierarchy.controllers);
      if (v2) found.Try(hierarchy.path, v2, {});
    }
  }
  bool any_v1 = false;
  bool any_v2 = false;
  for (const Hierarchy& hierarchy : found.hierarchies_) {
    (hierarchy.v2 ? any_v2 : any_v1) = true;
  }
  found.kind_ = any_v1 && any_v2 ? "hybrid"
                : any_v1         ? "v1"
                : any_v2         ? "v2"
                                 : "none";
  return found;
}

void Cgroups::Try(const std::string& path, bool v2,
                  const std::vector<std::string>& controllers) {
  bool memory = true;
  bool pids = true;
  bool cpu = true;
  for (const Hierarchy& hierarchy : hierarchies_) {
    memory = memory && !hierarchy.memory;
    pids = pids && !hierarchy.pids;
    cpu = cpu && !hierarchy.cpu;
  }
  if (!v2) {
    memory = memory && Contains(controllers, "memory");
    pids = pids && Contains(controllers, "pids");
    cpu = cpu && Contains(controllers, "cpuacct");
  }
  if (!memory && !pids && !cpu) return;
  Hierarchy hierarchy;
  hierarchy.v2 = v2;
  hierarchy.parent_path = path;
  hierarchy.parent = OpenFolder(AT_FDCWD, path);
  if (hierarchy.parent.get() < 0) return;
  RemoveStale(hierarchy.parent.get());
  if (mkdirat(hierarchy.parent.get(), name_.c_str(), 0755) != 0) return;
  hierarchy.own = OpenFolder(hierarchy.parent.get(), name_);
  if (v2) {
    for (const char* controller : {"+memory", "+pids"}) {
      WriteAt(hierarchy.parent.get(), "cgroup.subtree_control", controller);
      WriteAt(hierarchy.own.get(), "cgroup.subtree_control", controller);
    }
  }
  const char* const memory_file = v2 ? "memory.max" : "memory.limit_in_bytes";
  // What is in our folder is not yet what is below it: a run's folder decides.
  if (mkdirat(hierarchy.own.get(), "probe", 0755) == 0) {
    const Descriptor probe = OpenFolder(hierarchy.own.get(), "probe");
    hierarchy.memory = memory && HasFile(probe.get(), memory_file);
    hierarchy.pids = pids && HasFile(probe.get(), "pids.max");
    hierarchy.cpu =
        cpu && HasFile(probe.get(), v2 ? "cpu.stat" : "cpuacct.usage");
    unlinkat(hierarchy.own.get(), "probe", AT_REMOVEDIR);
  }
  if (!hierarchy.memory && !hierarchy.pids && !hierarchy.cpu) {
    unlinkat(hierarchy.parent.get(), name_.c_str(), AT_REMOVEDIR);
    return;
  }
  hierarchies_.push_back(std::move(hierarchy));
}

Cgroups::~Cgroups() {
  for (const Hierarchy& hierarchy : hierarchies_) {
    RemoveTree(hierarchy.parent.get(), name_);
  }
}

std::string Cgroups::Missing() const {
  bool memory = false;
  bool pids = false;
  bool cpu = false;
  for (const Hierarchy& hierarchy : hierarchies_) {
    memory = memory || hierarchy.memory;
    pids = pids || hierarchy.pids;
    cpu = cpu || hierarchy.cpu;
  }
  std::string missing;
  const auto add = [&](bool there, const char* name) {
    if (there) return;
    absl::StrAppend(&missing, missing.empty() ? "" : ", ", name);
  };
  add(memory, "memory");
  add(pids, "pids");
  add(cpu, "cpu");
  return missing;
}

absl::StatusOr<RunCgroup> Cgroups::Make(uint64_t run,
                                        const CgroupLimits& limits) {
  RunCgroup made;
  made.name_ = absl::StrCat("run-", run);
  const std::string bytes = absl::StrCat(limits.memory_bytes);
  const std::string processes = absl::StrCat(limits.processes);
  for (const Hierarchy& hierarchy : hierarchies_) {
    if (mkdirat(hierarchy.own.get(), made.name_.c_str(), 0755) != 0) {
      const absl::Status status =
          absl::ErrnoToStatus(errno, "make a cgroup for the run");
      Remove(made);
      return status;
    }
    const Descriptor folder = OpenFolder(hierarchy.own.get(), made.name_);
    const int at = folder.get();
    made.procs_.push_back(OpenFile(at, "cgroup.procs", O_RDWR));
    bool set = made.procs_.back().get() >= 0;
    if (hierarchy.memory && hierarchy.v2) {
      set = set && WriteAt(at, "memory.max", bytes);
      WriteAt(at, "memory.swap.max", "0");
      WriteAt(at, "memory.oom.group", "1");
      made.memory_peak_ = OpenFile(at, "memory.peak", O_RDONLY);
      made.oom_ = OpenFile(at, "memory.events", O_RDONLY);
    } else if (hierarchy.memory) {
      set = set && WriteAt(at, "memory.limit_in_bytes", bytes);
      WriteAt(at, "memory.memsw.limit_in_bytes", bytes);
      made.memory_peak_ = OpenFile(at, "memory.max_usage_in_bytes", O_RDONLY);
      made.oom_ = OpenFile(at, "memory.oom_control", O_RDONLY);
    }
    if (hierarchy.pids) set = set && WriteAt(at, "pids.max", processes);
    if (hierarchy.cpu) {
      made.cpu_ =
          OpenFile(at, hierarchy.v2 ? "cpu.stat" : "cpuacct.usage", O_RDONLY);
      made.cpu_in_microseconds_ = hierarchy.v2;
      set = set && made.cpu_.get() >= 0;
    }
    if (!set) {
      const absl::Status status =
          absl::ErrnoToStatus(errno, "set the limits of the run's cgroup");
      Remove(made);
      return status;
    }
  }
  return made;
}

bool Cgroups::Remove(const RunCgroup& cgroup) {
  bool removed = true;
  for (const Hierarchy& hierarchy : hierarchies_) {
    if (unlinkat(hierarchy.own.get(), cgroup.name_.c_str(), AT_REMOVEDIR) !=
            0 &&
        errno != ENOENT) {
      removed = false;
    }
  }
  return removed;
}

std::vector<int> RunCgroup::Procs() const {
  std::vector<int> procs;
  for (const Descriptor& each : procs_) procs.push_back(each.get());
  return procs;
}

std::vector<pid_t> RunCgroup::Members(size_t most) const {
  std::vector<pid_t> members;
  if (procs_.empty()) return members;
  const std::string text = ReadAll(procs_[0].get());
  for (const absl::string_view line :
       absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    pid_t pid = 0;
    if (members.size() < most && absl::SimpleAtoi(line, &pid)) {
      members.push_back(pid);
    }
  }
  return members;
}

CgroupFigures RunCgroup::Read() const {
  CgroupFigures figures;
  figures.cpu_ns = cpu_in_microseconds_
                       ? ReadNumber(cpu_.get(), "usage_usec") * 1000
                       : ReadNumber(cpu_.get(), "");
  figures.peak_memory_bytes = ReadNumber(memory_peak_.get(), "");
  figures.oom_kills = ReadNumber(oom_.get(), "oom_kill");
  return figures;
}

}  // namespace cohort
