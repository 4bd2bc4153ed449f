// A cgroup for every run, under whichever hierarchies this machine has: v2, v1
// or both side by side. What works is found by trying.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proto/descriptor.h"

namespace cohort {

// What has been charged to a run so far.
struct CgroupFigures {
  int64_t cpu_ns = 0;
  int64_t peak_memory_bytes = 0;
  int64_t oom_kills = 0;
};

struct CgroupLimits {
  int64_t memory_bytes = 0;
  int processes = 0;
};

// The folders of one run, one in each hierarchy.
class RunCgroup {
 public:
  // "cgroup.procs" of every hierarchy: writing 0 there joins it.
  std::vector<int> Procs() const;
  CgroupFigures Read() const;
  // The processes in it now, at most `most`; empty without a hierarchy.
  std::vector<pid_t> Members(size_t most) const;

 private:
  friend class Cgroups;
  struct Part;

  std::string name_;
  std::vector<Descriptor> procs_;  // Open for reading and writing.
  Descriptor cpu_;
  Descriptor memory_peak_;
  Descriptor oom_;
  bool cpu_in_microseconds_ = false;  // v2.
};

class Cgroups {
 public:
  // Finds what works and makes a folder of this process's own, removing those
  // that processes which are gone have left. Must run while the machine's
  // /proc and /sys are in sight. Never fails: what is missing is in Missing().
  static Cgroups Find();

  Cgroups(Cgroups&&) = default;
  Cgroups& operator=(Cgroups&&) = default;
  ~Cgroups();

  // "v2", "v1", "hybrid" or "none", and what is missing: "memory, pids".
  const std::string& kind() const { return kind_; }
  std::string Missing() const;
  bool complete() const { return Missing().empty(); }
  size_t hierarchies() const { return hierarchies_.size(); }

  absl::StatusOr<RunCgroup> Make(uint64_t run, const CgroupLimits& limits);
  // Once no process is in it. False where the kernel still counts one.
  bool Remove(const RunCgroup& cgroup);

 private:
  struct Hierarchy {
    Descriptor parent;  // Holds our folder.
    Descriptor own;     // Our folder; runs are below it.
    std::string parent_path;
    bool v2 = false;
    bool memory = false;
    bool pids = false;
    bool cpu = false;
  };
  Cgroups() = default;
  void Try(const std::string& path, bool v2,
           const std::vector<std::string>& controllers);

  std::string name_;  // Of our folder: "cohort-<pid>-<start time>".
  std::string kind_;
  std::vector<Hierarchy> hierarchies_;
};

}  // namespace cohort
