#include "proto/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <optional>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "proto/check.h"
#include "proto/descriptor.h"
#include "proto/rows.h"
#include "proto/status.h"

namespace cohort {
namespace {

constexpr absl::Duration kPoll = absl::Milliseconds(5);
constexpr absl::Duration kGoodbye = absl::Seconds(5);
constexpr int kLostChild = -1;  // Wait status of a child that others reaped.

struct Pipe {
  Descriptor read_end;
  Descriptor write_end;
};

absl::StatusOr<Pipe> MakePipe() {
  int fds[2];
  if (pipe2(fds, O_CLOEXEC) != 0) {
    return absl::ErrnoToStatus(errno, "cannot make a pipe");
  }
  return Pipe{Descriptor(fds[0]), Descriptor(fds[1])};
}

// What the child needs between fork and exec, where nothing may allocate.
struct Launch {
  std::vector<char*> argv;
  pid_t parent;
  int input;
  int output;
  int log;
  int failure;  // Takes errno when the program cannot be started.
};

// Descriptors from 3 on, all of them closed on exec.
void CloseOthersOnExec() {
  if (close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) == 0) return;
  rlimit limit = {};
  getrlimit(RLIMIT_NOFILE, &limit);
  const rlim_t end = std::min<rlim_t>(limit.rlim_cur, 1 << 16);
  for (int fd = 3; fd < static_cast<int>(end); ++fd) {
    fcntl(fd, F_SETFD, FD_CLOEXEC);
  }
}

// Only async-signal-safe calls: other threads of ours may hold any lock.
[[noreturn]] void BecomeProgram(const Launch& launch) {
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != launch.parent) _exit(127);  // It died before the prctl.
  setpgid(0, 0);
  for (int signal_number = 1; signal_number < NSIG; ++signal_number) {
    signal(signal_number, SIG_DFL);  // Ignored ones would stay ignored.
  }
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  // Copies from 3 on: where we were started without standard streams, ours may
  // be the very numbers that are set below.
  const int input = fcntl(launch.input, F_DUPFD, 3);
  const int output = fcntl(launch.output, F_DUPFD, 3);
  const int log = fcntl(launch.log, F_DUPFD, 3);
  const int failure = fcntl(launch.failure, F_DUPFD, 3);
  dup2(input, STDIN_FILENO);
  dup2(output, STDOUT_FILENO);
  dup2(log, STDERR_FILENO);
  CloseOthersOnExec();
  execvp(launch.argv[0], launch.argv.data());
  const int error = errno;
  [[maybe_unused]] const ssize_t written =
      write(failure, &error, sizeof(error));
  _exit(127);
}

// Returns the child's id once it runs the program.
absl::StatusOr<pid_t> Launched(const std::vector<std::string>& args,
                               const Descriptor& input,
                               const Descriptor& output,
                               const Descriptor& log) {
  COHORT_ASSIGN_OR_RETURN(Pipe failure, MakePipe());
  Launch launch{.argv = {},
                .parent = getpid(),
                .input = input.get(),
                .output = output.get(),
                .log = log.get(),
                .failure = failure.write_end.get()};
  for (const std::string& arg : args) {
    launch.argv.push_back(const_cast<char*>(arg.c_str()));
  }
  launch.argv.push_back(nullptr);

  const pid_t pid = fork();
  if (pid == 0) BecomeProgram(launch);
  if (pid < 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot start ", args[0]));
  }
  failure.write_end.Close();
  int error = 0;
  ssize_t count = 0;
  do {
    count = read(failure.read_end.get(), &error, sizeof(error));
  } while (count < 0 && errno == EINTR);
  if (count == 0) return pid;
  while (waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
  return absl::ErrnoToStatus(error, absl::StrCat("cannot start ", args[0]));
}

// User and system seconds, the children it waited for included.
std::optional<double> CpuSecondsSoFar(pid_t pid) {
  const absl::StatusOr<std::string> stat =
      ReadFile(absl::StrCat("/proc/", pid, "/stat"));
  if (!stat.ok()) return std::nullopt;
  // The second field is the program's name in parentheses; it may hold spaces.
  const std::vector<std::string> fields =
      absl::StrSplit(stat->substr(stat->rfind(')') + 1), ' ');
  constexpr size_t kUserTime = 12;  // proc(5), fields 14 to 17.
  double ticks = 0;
  for (size_t i = kUserTime; i < kUserTime + 4; ++i) {
    double value = 0;
    if (i >= fields.size() || !absl::SimpleAtod(fields[i], &value)) {
      return std::nullopt;
    }
    ticks += value;
  }
  return ticks / static_cast<double>(sysconf(_SC_CLK_TCK));
}

Descriptor NoInput() {
  return Descriptor(open("/dev/null", O_RDONLY | O_CLOEXEC));
}

absl::StatusOr<Descriptor> OpenLog(const std::string& path) {
  Descriptor log(
      open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666));
  if (log.get() >= 0) return log;
  return absl::ErrnoToStatus(errno, absl::StrCat("cannot open ", path));
}

double Seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) +
         static_cast<double>(time.tv_usec) * 1e-6;
}

}  // namespace

absl::StatusOr<std::string> OwnBinaryDir() {
  std::error_code error;
  const std::filesystem::path self =
      std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) {
    return absl::ErrnoToStatus(error.value(), "/proc/self/exe: cannot read");
  }
  return self.parent_path().string();
}

// The child's standard output on its way to the log. Start reads it up to the
// ready line; then a thread does, so that the child never waits for a reader.
class ChildProcess::OutputPipe {
 public:
  OutputPipe(Descriptor pipe, Descriptor log)
      : pipe_(std::move(pipe)), log_(std::move(log)) {}

  // What the child wrote before stays readable; a process that it left behind
  // may hold the pipe open for ever.
  ~OutputPipe() {
    if (!copier_.joinable()) return;
    const uint64_t one = 1;
    COHORT_CHECK(write(stop_.get(), &one, sizeof(one)) == sizeof(one));
    copier_.join();
  }

  // Returns what follows `prefix` in the first line that begins with it.
  //   kDeadlineExceeded  no such line by `deadline`
  //   kUnavailable       the output ended
  absl::StatusOr<std::string> WaitForLine(const std::string& prefix,
                                          absl::Time deadline) {
    std::string line;
    while (true) {
      const absl::Duration left = deadline - absl::Now();
      pollfd readable = {.fd = pipe_.get(), .events = POLLIN, .revents = 0};
      const int64_t wait_ms = std::clamp<int64_t>(
          absl::ToInt64Milliseconds(absl::Ceil(left, absl::Milliseconds(1))), 0,
          60000);
      if (poll(&readable, 1, static_cast<int>(wait_ms)) < 0) continue;
      if (readable.revents == 0) {
        if (absl::Now() < deadline) continue;
        return absl::DeadlineExceededError("");
      }
      const std::optional<std::string_view> chunk = ReadChunk();
      if (!chunk.has_value()) return absl::UnavailableError("");
      for (const char c : *chunk) {
        if (c != '\n') {
          line.push_back(c);
        } else if (absl::StartsWith(line, prefix)) {
          return line.substr(prefix.size());
        } else {
          line.clear();
        }
      }
    }
  }

  void CopyInBackground() {
    stop_ = Descriptor(eventfd(0, EFD_CLOEXEC));
    COHORT_CHECK(stop_.get() >= 0);
    copier_ = std::thread([this] { Copy(); });
  }

 private:
  void Copy() {
    while (true) {
      pollfd fds[] = {{.fd = pipe_.get(), .events = POLLIN, .revents = 0},
                      {.fd = stop_.get(), .events = POLLIN, .revents = 0}};
      if (poll(fds, 2, -1) < 0) continue;
      if (fds[0].revents != 0) {
        if (!ReadChunk().has_value()) return;
      } else if (fds[1].revents != 0) {
        return;
      }
    }
  }

  // Reads what is there and writes it to the log; none at the end. The log is
  // for people: what a full disk does not take is lost, and nothing else.
  std::optional<std::string_view> ReadChunk() {
    ssize_t count = 0;
    do {
      count = read(pipe_.get(), buffer_.data(), buffer_.size());
    } while (count < 0 && errno == EINTR);
    if (count <= 0) return std::nullopt;
    [[maybe_unused]] const ssize_t written =
        write(log_.get(), buffer_.data(), static_cast<size_t>(count));
    return std::string_view(buffer_.data(), static_cast<size_t>(count));
  }

  Descriptor pipe_;
  Descriptor log_;
  Descriptor stop_;  // An eventfd.
  std::array<char, 4096> buffer_;
  std::thread copier_;
};

ChildProcess::ChildProcess() = default;

absl::StatusOr<ChildProcess> ChildProcess::Start(
    const std::vector<std::string>& args, const std::string& log_path,
    const std::string& ready_prefix, absl::Duration ready_timeout) {
  COHORT_CHECK(!args.empty());
  const absl::Time deadline = absl::Now() + ready_timeout;
  COHORT_ASSIGN_OR_RETURN(Descriptor log, OpenLog(log_path));
  ChildProcess child;
  if (ready_prefix.empty()) {
    COHORT_ASSIGN_OR_RETURN(child.pid_, Launched(args, NoInput(), log, log));
    return child;
  }
  COHORT_ASSIGN_OR_RETURN(Pipe output, MakePipe());
  COHORT_ASSIGN_OR_RETURN(child.pid_,
                          Launched(args, NoInput(), output.write_end, log));
  output.write_end.Close();
  child.output_ =
      std::make_unique<OutputPipe>(std::move(output.read_end), std::move(log));
  absl::StatusOr<std::string> line =
      child.output_->WaitForLine(ready_prefix, deadline);
  if (line.ok()) {
    child.ready_line_ = *std::move(line);
    child.output_->CopyInBackground();
    return child;
  }
  if (absl::IsDeadlineExceeded(line.status())) {
    child.Stop(absl::ZeroDuration());
    return absl::DeadlineExceededError(
        absl::StrCat(args[0], " did not say '", ready_prefix, "' within ",
                     absl::FormatDuration(ready_timeout), "; see ", log_path));
  }
  // It has closed its output, which a process does by ending.
  while (absl::Now() < deadline && child.Running()) absl::SleepFor(kPoll);
  child.Stop(absl::ZeroDuration());
  return absl::UnavailableError(
      absl::StrCat(args[0], " ended before it said '", ready_prefix,
                   "': ", child.HowItEnded(), "; see ", log_path));
}

absl::StatusOr<ChildProcess> ChildProcess::StartToTell(
    const std::vector<std::string>& args, const std::string& log_path) {
  COHORT_CHECK(!args.empty());
  COHORT_ASSIGN_OR_RETURN(const Descriptor log, OpenLog(log_path));
  // A socket, not a pipe: send() can be told to raise no SIGPIPE.
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    return absl::ErrnoToStatus(errno, "cannot make a pair of sockets");
  }
  ChildProcess child;
  child.input_ = Descriptor(ends[0]);
  const Descriptor theirs(ends[1]);
  COHORT_ASSIGN_OR_RETURN(child.pid_, Launched(args, theirs, log, log));
  return child;
}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      input_(std::move(other.input_)),
      output_(std::move(other.output_)),
      ended_(other.ended_),
      wait_status_(other.wait_status_),
      cpu_seconds_(other.cpu_seconds_),
      ready_line_(std::move(other.ready_line_)) {}

ChildProcess& ChildProcess::operator=(ChildProcess&& other) noexcept {
  if (this == &other) return *this;
  Stop(kGoodbye);
  pid_ = std::exchange(other.pid_, -1);
  input_ = std::move(other.input_);
  output_ = std::move(other.output_);
  ended_ = other.ended_;
  wait_status_ = other.wait_status_;
  cpu_seconds_ = other.cpu_seconds_;
  ready_line_ = std::move(other.ready_line_);
  return *this;
}

ChildProcess::~ChildProcess() { Stop(kGoodbye); }

void ChildProcess::Tell(std::string_view line) {
  const std::string whole = absl::StrCat(std::string(line), "\n");
  absl::string_view rest = whole;
  while (!rest.empty()) {
    const ssize_t sent =
        send(input_.get(), rest.data(), rest.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return;
    rest.remove_prefix(static_cast<size_t>(sent));
  }
}

bool ChildProcess::Running() {
  if (pid_ < 0 || ended_) return false;
  siginfo_t info = {};
  int result = 0;
  do {
    result = waitid(P_PID, static_cast<id_t>(pid_), &info,
                    WEXITED | WNOHANG | WNOWAIT);
  } while (result != 0 && errno == EINTR);
  if (result == 0 && info.si_pid == 0) return true;

  // Not reaped yet, so that its id, and its group's, are still its own.
  kill(-pid_, SIGKILL);
  rusage usage = {};
  if (wait4(pid_, &wait_status_, 0, &usage) == pid_) {
    cpu_seconds_ = Seconds(usage.ru_utime) + Seconds(usage.ru_stime);
  } else {
    wait_status_ = kLostChild;
  }
  ended_ = true;
  output_.reset();
  return false;
}

std::string ChildProcess::HowItEnded() const {
  if (!ended_) return "";
  if (wait_status_ == kLostChild) return "unknown: reaped elsewhere";
  if (WIFSIGNALED(wait_status_)) {
    const int signal_number = WTERMSIG(wait_status_);
    const char* const name = sigdescr_np(signal_number);
    return absl::StrCat("signal ", signal_number, " (",
                        name == nullptr ? "unknown" : name, ")");
  }
  return absl::StrCat("exit code ", WEXITSTATUS(wait_status_));
}

double ChildProcess::CpuSeconds() {
  if (Running()) cpu_seconds_ = CpuSecondsSoFar(pid_).value_or(cpu_seconds_);
  return cpu_seconds_;
}

void ChildProcess::Stop(absl::Duration patience) {
  if (!Running()) return;
  const absl::Time deadline = absl::Now() + patience;
  kill(pid_, SIGTERM);
  while (absl::Now() < deadline) {
    if (!Running()) return;
    absl::SleepFor(kPoll);
  }
  if (!Running()) return;
  kill(-pid_, SIGKILL);
  while (Running()) absl::SleepFor(kPoll);
}

}  // namespace cohort
