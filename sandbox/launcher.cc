#include "sandbox/launcher.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "proto/check.h"
#include "proto/status.h"
#include "sandbox/fences.h"
#include "sandbox/syscall_filter.h"

namespace cohort {
namespace {

constexpr int64_t kMs = 1'000'000;
// Between two looks at a run's counters: a verdict comes this much after its
// limit was reached, at most.
constexpr int64_t kLongestLookNs = 50 * kMs;
constexpr int64_t kShortestLookNs = 2 * kMs;
// What is there so long after its run will not go by itself.
constexpr int64_t kLeakedNs = 10'000 * kMs;

int64_t NowNs() {
  timespec now = {};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

}  // namespace

void Launcher::Serve() {
  while (open_ || !runs_.empty()) PollOnce();
  RemoveRemains();
}

int Launcher::Timeout(int64_t now_ns) const {
  int64_t wait_ns = runs_.empty() && remains_.empty() ? -kMs : 100 * kMs;
  for (const auto& [id, run] : runs_) {
    wait_ns =
        std::min(wait_ns, std::max<int64_t>(0, run->next_look_ns - now_ns));
  }
  return wait_ns < 0 ? -1 : static_cast<int>((wait_ns + kMs - 1) / kMs);
}

void Launcher::PollOnce() {
  std::vector<pollfd> polled;
  polled.push_back({open_ ? options_.socket : -1, POLLIN, 0});
  for (const Zygote& zygote : zygotes_) {
    polled.push_back({zygote.socket.get(), POLLIN, 0});
  }
  std::vector<Run*> runs;
  for (const auto& [id, run] : runs_) {
    runs.push_back(run.get());
    polled.push_back({run->killed ? -1 : run->client.get(), POLLIN, 0});
    polled.push_back({run->pidfd.get(), POLLIN, 0});
  }
  poll(polled.data(), polled.size(), Timeout(NowNs()));
  const int64_t now_ns = NowNs();
  size_t next = 1 + zygotes_.size();
  for (Run* const run : runs) {
    const bool asked = polled[next++].revents != 0;
    const bool ended = polled[next++].revents != 0;
    if (ended) {
      Finish(run);
      continue;
    }
    if (asked && !run->killed) Kill(run, EndReason::kAsked);
    if (now_ns >= run->next_look_ns) Look(run, now_ns);
  }
  for (size_t i = 0; i < zygotes_.size(); ++i) {
    if (polled[1 + i].revents != 0) TakeZygoteReplies(&zygotes_[i]);
  }
  if (polled[0].revents != 0) TakeRequests();
  if (!remains_.empty()) RemoveRemains();
}

void Launcher::TakeRequests() {
  while (true) {
    std::optional<FdMessage> message = ReceiveFdMessage(options_.socket);
    if (message.has_value()) {
      TakeRequest(*std::move(message));
      continue;
    }
    if (errno == EAGAIN) return;
    // The sandbox is gone; so are its runs.
    open_ = false;
    for (const auto& [id, run] : runs_) Kill(run.get(), EndReason::kAsked);
    return;
  }
}

void Launcher::TakeRequest(FdMessage message) {
  if (absl::StartsWith(message.bytes, kShareFile)) {
    ShareFile(message, message.bytes.substr(sizeof(kShareFile) - 1));
    return;
  }
  if (message.fds.empty()) return;
  auto run = std::make_unique<Run>();
  run->client = std::move(message.fds[0]);
  message.fds.erase(message.fds.begin());
  std::optional<RunSpec> spec = ParseRunSpec(message.bytes);
  if (!spec.has_value() || message.fds.size() != RequestFds(*spec) ||
      spec->filter >= filters_.size() || spec->zygote > zygotes_.size() ||
      runs_.contains(spec->id)) {
    Fail(*run, absl::InvalidArgumentError("the request makes no sense"));
    return;
  }
  run->spec = *std::move(spec);
  if (const absl::Status status = Start(run.get(), &message); !status.ok()) {
    Fail(*run, status);
    if (run->pidfd.get() < 0) {
      cgroups_->Remove(run->cgroup);
      slots_[run->slot].busy = false;
    }
    return;
  }
  runs_[run->spec.id] = std::move(run);
}

void Launcher::ShareFile(const FdMessage& message, const std::string& name) {
  bool shared = IsPlainFileName(name) && message.fds.size() == 1;
  if (shared) {
    const std::string hidden = "." + name;
    const Descriptor file(openat(shared_.get(), hidden.c_str(),
                                 O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
                                 0644));
    off_t offset = 0;
    ssize_t copied = file.get() < 0 ? -1 : 1;
    while (copied > 0) {
      copied = copy_file_range(message.fds[0].get(), &offset, file.get(),
                               nullptr, 16 << 20, 0);
    }
    shared = copied == 0 && renameat(shared_.get(), hidden.c_str(),
                                     shared_.get(), name.c_str()) == 0;
  }
  const char answer = shared ? 'y' : 'n';
  SendFdMessage(options_.socket, std::string_view(&answer, 1), {});
}

absl::Status Launcher::Start(Run* run, FdMessage* message) {
  const auto free = std::find_if(slots_.begin(), slots_.end(),
                                 [](const Slot& slot) { return !slot.busy; });
  if (free == slots_.end()) return absl::ResourceExhaustedError("no free slot");
  free->busy = true;
  run->slot = static_cast<size_t>(free - slots_.begin());
  RunSpec& spec = run->spec;
  spec.uid = options_.first_uid + static_cast<uint32_t>(run->slot);
  spec.as_root = as_root_;
  spec.readable = options_.mounts;
  spec.readable.push_back("/.cohort/shared");
  spec.readable.push_back("/etc");

  int report[2];
  if (pipe2(report, O_CLOEXEC | O_NONBLOCK) != 0) {
    return absl::ErrnoToStatus(errno, "make the report's pipe");
  }
  run->report = Descriptor(report[0]);
  const Descriptor report_end(report[1]);
  RunFds fds = ArrangeFds(spec, *message);
  fds.report = report_end.get();
  fds.filter = filters_[spec.filter].get();
  fds.network = free->network.get();
  if ((spec.fences & kFenceCgroup) != 0) {
    // One more for init.
    COHORT_ASSIGN_OR_RETURN(
        run->cgroup,
        cgroups_->Make(spec.id, {.memory_bytes = spec.memory_bytes,
                                 .processes = spec.processes + 1}));
    fds.cgroups = run->cgroup.Procs();
  }
  run->begin_ns = NowNs();
  run->wall_limit_ns = spec.wall_ns;
  run->next_look_ns = run->begin_ns + kShortestLookNs;
  if (spec.zygote != 0) return StartFromZygote(run, std::move(fds));
  const Spawned spawned = SpawnRun(spec, fds);
  if (spawned.pid < 0) return absl::ErrnoToStatus(spawned.error, "clone init");
  run->pidfd = Descriptor(spawned.pidfd);
  return absl::OkStatus();
}

void Launcher::Look(Run* run, int64_t now_ns) {
  const CgroupFigures figures = run->cgroup.Read();
  const int64_t cpu_left_ns = run->spec.cpu_ns - figures.cpu_ns;
  int64_t wall_left_ns = run->begin_ns + run->wall_limit_ns - now_ns;
  if (wall_left_ns <= 0 && !run->killed) {
    run->wall_limit_ns = std::max(
        run->spec.wall_ns, std::min(run->spec.wall_ns + WaitedForCpuNs(*run),
                                    run->spec.wall_most_ns));
    wall_left_ns = run->begin_ns + run->wall_limit_ns - now_ns;
  }
  if (run->killed) {
    Kill(run, run->reason);  // Not dead yet.
  } else if (figures.oom_kills > 0) {
    Kill(run, EndReason::kMemory);
  } else if (cpu_left_ns <= 0) {
    Kill(run, EndReason::kCpu);
  } else if (wall_left_ns <= 0) {
    Kill(run, EndReason::kWall);
  }
  // All cores together use up what is left no sooner than this.
  static const auto cores =
      static_cast<int64_t>(std::max(1U, std::thread::hardware_concurrency()));
  run->next_look_ns =
      now_ns + std::clamp(std::min(cpu_left_ns / cores, wall_left_ns),
                          kShortestLookNs, kLongestLookNs);
}

// The longest that one of its processes was ready and did not get a CPU. A run
// that sleeps waits for none, so this stretches no limit of its.
int64_t Launcher::WaitedForCpuNs(const Run& run) const {
  int64_t longest = 0;
  for (const pid_t pid : run.cgroup.Members(64)) {
    const Descriptor file(openat(proc_.get(),
                                 absl::StrCat(pid, "/schedstat").c_str(),
                                 O_RDONLY | O_CLOEXEC));
    char text[128] = {};
    if (file.get() < 0 || read(file.get(), text, sizeof(text) - 1) <= 0) {
      continue;
    }
    const std::vector<std::string> fields = absl::StrSplit(text, ' ');
    int64_t waited = 0;
    if (fields.size() == 3 && absl::SimpleAtoi(fields[1], &waited)) {
      longest = std::max(longest, waited);
    }
  }
  return longest;
}

void Launcher::Kill(Run* run, EndReason reason) {
  run->reason = reason;
  run->killed = true;
  if (run->pidfd.get() >= 0) {
    syscall(SYS_pidfd_send_signal, run->pidfd.get(), SIGKILL, nullptr, 0);
  }
}

// Requires that init has ended: with it, everything in its namespace.
void Launcher::Finish(Run* run) {
  RunEnd end;
  end.reason = run->reason;
  end.wall_ns = NowNs() - run->begin_ns;
  const CgroupFigures figures = run->cgroup.Read();
  if (read(run->report.get(), &end.report, sizeof(end.report)) !=
      sizeof(end.report)) {
    end.report = RunReport();
  }
  if (end.report.kind == ReportKind::kEnded && run->spec.zygote != 0) {
    // Init knows of the files alone; without the zygote's word it vanished.
    const ZygoteReply program = run->program_end.value_or(ZygoteReply());
    if (program.forked == 0) end.report.kind = ReportKind::kNothing;
    end.report.wait_status = static_cast<int32_t>(program.wait_status);
    end.report.cpu_ns = program.cpu_ns;
    end.report.max_rss_bytes = program.max_rss_bytes;
  }
  const bool counted = (run->spec.fences & kFenceCgroup) != 0;
  end.cpu_ns = counted ? figures.cpu_ns : end.report.cpu_ns;
  end.peak_memory_bytes =
      counted ? figures.peak_memory_bytes : end.report.max_rss_bytes;
  end.oom_kills = static_cast<int32_t>(figures.oom_kills);
  end.leaks = Leaks();
  if (!cgroups_->Remove(run->cgroup)) {
    remains_.push_back({std::move(run->cgroup), NowNs()});
  }
  slots_[run->slot].busy = false;
  SendFdMessage(
      run->client.get(),
      std::string_view(reinterpret_cast<const char*>(&end), sizeof(end)), {});
  runs_.erase(run->spec.id);
}

void Launcher::Fail(const Run& run, const absl::Status& status) {
  RunEnd end;
  end.report.kind = ReportKind::kFailed;
  const std::string text(status.message());
  std::strncpy(end.report.step, text.c_str(), sizeof(end.report.step) - 1);
  SendFdMessage(
      run.client.get(),
      std::string_view(reinterpret_cast<const char*>(&end), sizeof(end)), {});
}

int32_t Launcher::Leaks() const {
  const int64_t long_ago_ns = NowNs() - kLeakedNs;
  return static_cast<int32_t>(std::count_if(
      remains_.begin(), remains_.end(), [long_ago_ns](const Remains& remains) {
        return remains.since_ns < long_ago_ns;
      }));
}

// The kernel may count a process as in a cgroup for a moment after its end.
void Launcher::RemoveRemains() {
  std::erase_if(remains_, [this](const Remains& remains) {
    return cgroups_->Remove(remains.cgroup);
  });
}

}  // namespace cohort
