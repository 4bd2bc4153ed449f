#include "sandbox/runner.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "proto/check.h"
#include "proto/status.h"
#include "sandbox/fd_message.h"
#include "sandbox/self_test.h"

namespace cohort {
namespace {

constexpr char kLauncherName[] = "cohort-launcher";
constexpr char kZygoteLibrary[] = "libcohort-zygote.so";
constexpr int kLauncherSocket = 3;

std::string FolderOf(const std::string& path) {
  return path.substr(0, path.rfind('/') + 1);
}

std::string BesideThisProgram(const char* name) {
  char path[PATH_MAX] = {};
  const ssize_t size = readlink("/proc/self/exe", path, sizeof(path) - 1);
  return absl::StrCat(FolderOf(std::string(path, size < 0 ? 0 : size)), name);
}

struct Pipe {
  Descriptor read;
  Descriptor write;
};

absl::StatusOr<Pipe> MakePipe() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) {
    return absl::ErrnoToStatus(errno, "make a pipe");
  }
  return Pipe{Descriptor(ends[0]), Descriptor(ends[1])};
}

absl::StatusOr<Pipe> MakeSockets(int type) {
  int ends[2];
  if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends) != 0) {
    return absl::ErrnoToStatus(errno, "make a socket");
  }
  return Pipe{Descriptor(ends[0]), Descriptor(ends[1])};
}

void MakeNonBlocking(const Descriptor& fd) {
  fcntl(fd.get(), F_SETFL, fcntl(fd.get(), F_GETFL) | O_NONBLOCK);
}

// The child's part. Only what is safe after a fork of many threads.
// The launcher sees the end of its socket when we go; the thread that forked it
// may end before.
[[noreturn]] void BecomeLauncher(int socket, char* const* argv) {
  setsid();
  const int lifted = fcntl(socket, F_DUPFD, 100);
  const int nothing = open("/dev/null", O_RDWR);
  dup2(nothing, 0);
  dup2(nothing, 1);
  dup2(lifted, kLauncherSocket);
  syscall(SYS_close_range, kLauncherSocket + 1, ~0U, 0);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  char* const env[] = {nullptr};
  execve(argv[0], argv, env);
  _exit(127);
}

}  // namespace

absl::StatusOr<SharedBytes> ShareBytes(std::string_view bytes) {
  Descriptor memory(memfd_create("program", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (memory.get() < 0) return absl::ErrnoToStatus(errno, "memfd_create");
  while (!bytes.empty()) {
    const ssize_t size = write(memory.get(), bytes.data(), bytes.size());
    if (size < 0) return absl::ErrnoToStatus(errno, "write to memory");
    bytes.remove_prefix(static_cast<size_t>(size));
  }
  fchmod(memory.get(), 0555);
  if (fcntl(memory.get(), F_ADD_SEALS,
            F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
    return absl::ErrnoToStatus(errno, "seal memory");
  }
  return std::make_shared<const Descriptor>(std::move(memory));
}

absl::StatusOr<std::unique_ptr<Sandbox>> Sandbox::Start(
    SandboxOptions options) {
  COHORT_CHECK(options.slots >= 1);
  if (options.launcher.empty()) {
    options.launcher = BesideThisProgram(kLauncherName);
  }
  if (access(options.launcher.c_str(), X_OK) != 0) {
    return absl::UnavailableError(
        absl::StrCat("cannot execute ", options.launcher));
  }
  // A program that does not read its input must not end us.
  signal(SIGPIPE, SIG_IGN);
  std::unique_ptr<Sandbox> sandbox(new Sandbox(std::move(options)));
  COHORT_RETURN_IF_ERROR(sandbox->StartLauncher());
  COHORT_RETURN_IF_ERROR(sandbox->TakeReport());
  {
    absl::MutexLock lock(&sandbox->mu_);
    sandbox->free_slots_ = sandbox->options_.slots;
    sandbox->figures_.slots = sandbox->options_.slots;
  }
  // A missing fence is known; what is there must hold.
  if (sandbox->Weakness().empty()) {
    const std::string flaw = SelfTestFlaw(sandbox.get());
    sandbox->capabilities_.push_back(
        {"self-test", flaw.empty(), flaw.empty() ? "nothing escaped" : flaw});
  }
  return sandbox;
}

absl::Status Sandbox::StartLauncher() {
  std::vector<std::string> args = {
      options_.launcher, absl::StrCat("--socket=", kLauncherSocket),
      absl::StrCat("--slots=", options_.slots),
      absl::StrCat("--zygote-library=", FolderOf(options_.launcher),
                   kZygoteLibrary)};
  std::vector<std::string> mounts = options_.languages.mounts;
  for (const Language& language : options_.languages.languages) {
    args.push_back(
        absl::StrCat("--filter=", absl::StrJoin(language.syscalls, ",")));
    const bool usable = MissingTool(language).empty();
    if (usable) {
      mounts.insert(mounts.end(), language.mounts.begin(),
                    language.mounts.end());
    }
    if (usable && !language.zygote.empty()) {
      args.push_back(absl::StrCat("--zygote=", language.zygote));
      zygotes_.push_back(language.zygote);
    }
  }
  for (const std::string& mount : mounts) {
    args.push_back(absl::StrCat("--mount=", mount));
  }
  std::vector<char*> argv;
  for (std::string& arg : args) argv.push_back(arg.data());
  argv.push_back(nullptr);
  COHORT_ASSIGN_OR_RETURN(Pipe sockets, MakeSockets(SOCK_SEQPACKET));
  launcher_ = fork();
  if (launcher_ < 0) return absl::ErrnoToStatus(errno, "fork the launcher");
  if (launcher_ == 0) {
    BecomeLauncher(sockets.write.get(), argv.data());
  }
  socket_ = std::move(sockets.read);
  return absl::OkStatus();
}

absl::Status Sandbox::TakeReport() {
  const std::optional<FdMessage> message = ReceiveFdMessage(socket_.get());
  if (!message.has_value()) {
    return absl::UnavailableError("the launcher ended before it was ready");
  }
  for (const absl::string_view line :
       absl::StrSplit(message->bytes, '\n', absl::SkipEmpty())) {
    const std::vector<std::string> words =
        absl::StrSplit(line, absl::MaxSplits(' ', 2));
    if (words.size() != 3) continue;
    if (words[0] == "broken") return absl::UnavailableError(words[2]);
    capabilities_.push_back({words[1], words[0] == "ok", words[2]});
  }
  return absl::OkStatus();
}

Sandbox::~Sandbox() {
  // The launcher ends its runs, cleans up and goes once it sees the end.
  socket_ = Descriptor();
  if (launcher_ > 0) waitpid(launcher_, nullptr, 0);
}

std::string Sandbox::Weakness() const {
  std::vector<std::string> missing;
  for (const Capability& capability : capabilities_) {
    if (!capability.there) {
      missing.push_back(
          absl::StrCat(capability.name, " (", capability.detail, ")"));
    }
  }
  return absl::StrJoin(missing, ", ");
}

bool Sandbox::Alive() const {
  pollfd polled = {socket_.get(), POLLIN, 0};
  return poll(&polled, 1, 0) == 0 || (polled.revents & POLLHUP) == 0;
}

RunSpec Sandbox::SpecOf(const Program& program, const Limits& limits) {
  const Language& language = *program.language;
  RunSpec spec;
  spec.id = next_id_++;
  spec.cpu_ns = absl::ToInt64Nanoseconds(limits.cpu);
  spec.wall_ns = absl::ToInt64Nanoseconds(limits.wall);
  spec.wall_most_ns = absl::ToInt64Nanoseconds(limits.wall_most);
  spec.memory_bytes = limits.memory_bytes + language.extra_memory_bytes;
  spec.disk_bytes = limits.disk_bytes;
  spec.processes = limits.processes + language.extra_processes;
  spec.descriptors = limits.descriptors;
  spec.fences = program.fences;
  const std::string missing = Weakness();
  if (absl::StrContains(missing, "cgroups")) spec.fences &= ~kFenceCgroup;
  if (absl::StrContains(missing, "landlock")) spec.fences &= ~kFenceLandlock;
  if (absl::StrContains(missing, "network")) spec.fences &= ~kFenceNetwork;
  if (absl::StrContains(missing, "seccomp")) spec.fences &= ~kFenceSeccomp;
  spec.filter =
      static_cast<uint32_t>(&language - options_.languages.languages.data());
  if (program.zygote) {
    const auto found =
        std::find(zygotes_.begin(), zygotes_.end(), language.zygote);
    spec.zygote = static_cast<uint32_t>(found - zygotes_.begin()) + 1;
  }
  spec.has_channel = program.channel;
  spec.has_program = program.executable != nullptr;
  spec.argv = program.argv;
  if (spec.argv.empty()) spec.argv = {"./program"};
  spec.env = options_.languages.env;
  spec.env.insert(spec.env.end(), language.env.begin(), language.env.end());
  for (const auto& [name, bytes] : program.files) spec.files.push_back(name);
  return spec;
}

absl::StatusOr<std::unique_ptr<RunningProgram>> Sandbox::LaunchOne(
    const Program& program, const Limits& limits) {
  COHORT_ASSIGN_OR_RETURN(Pipe in, MakePipe());
  COHORT_ASSIGN_OR_RETURN(Pipe out, MakePipe());
  COHORT_ASSIGN_OR_RETURN(Pipe err, MakePipe());
  COHORT_ASSIGN_OR_RETURN(Pipe control, MakeSockets(SOCK_SEQPACKET));
  std::vector<int> fds = {control.write.get(), in.read.get(), out.write.get(),
                          err.write.get()};
  RunEnds ends;
  Pipe channel;
  if (program.channel) {
    COHORT_ASSIGN_OR_RETURN(channel, MakeSockets(SOCK_STREAM));
    fds.push_back(channel.write.get());
    ends.channel = std::move(channel.read);
  }
  if (program.executable != nullptr) fds.push_back(program.executable->get());
  for (const auto& [name, bytes] : program.files) fds.push_back(bytes->get());
  if (!SendFdMessage(socket_.get(), SerializeRunSpec(SpecOf(program, limits)),
                     fds)) {
    return absl::ErrnoToStatus(errno, "reach the launcher");
  }
  MakeNonBlocking(in.write);
  MakeNonBlocking(out.read);
  MakeNonBlocking(err.read);
  ends.in = std::move(in.write);
  ends.out = std::move(out.read);
  ends.err = std::move(err.read);
  ends.control = std::move(control.read);
  return std::make_unique<RunningProgram>(std::move(ends), program.input,
                                          limits, [this] { GiveSlot(); });
}

absl::StatusOr<std::vector<std::unique_ptr<RunningProgram>>> Sandbox::Launch(
    const std::vector<const Program*>& programs, const Limits& limits) {
  COHORT_CHECK(static_cast<int>(programs.size()) <= options_.slots);
  COHORT_RETURN_IF_ERROR(CheckLimits(limits));
  TakeSlots(static_cast<int>(programs.size()));
  std::vector<std::unique_ptr<RunningProgram>> running;
  for (size_t i = 0; i < programs.size(); ++i) {
    absl::StatusOr<std::unique_ptr<RunningProgram>> one =
        LaunchOne(*programs[i], limits);
    if (!one.ok()) {
      for (size_t left = i; left < programs.size(); ++left) GiveSlot();
      return one.status();
    }
    running.push_back(*std::move(one));
  }
  return running;
}

Outcome Sandbox::RunProgram(const Program& program, const Limits& limits) {
  absl::StatusOr<std::vector<std::unique_ptr<RunningProgram>>> running =
      Launch({&program}, limits);
  Outcome outcome;
  if (running.ok()) {
    outcome = (*running)[0]->Finish();
  } else {
    outcome.reason = std::string(running.status().message());
  }
  Count(outcome);
  return outcome;
}

absl::Status Sandbox::ShareFile(const std::string& name,
                                const SharedBytes& bytes) {
  absl::MutexLock lock(&request_mu_);
  if (!SendFdMessage(socket_.get(), kShareFile + name, {bytes->get()})) {
    return absl::ErrnoToStatus(errno, "reach the launcher");
  }
  const std::optional<FdMessage> answer = ReceiveFdMessage(socket_.get());
  if (!answer.has_value() || answer->bytes != "y") {
    return absl::UnavailableError(absl::StrCat("could not share ", name));
  }
  return absl::OkStatus();
}

void Sandbox::TakeSlots(int count) {
  const absl::Time begin = absl::Now();
  absl::MutexLock lock(&mu_);
  const auto enough = [this, count]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return free_slots_ >= count;
  };
  mu_.Await(absl::Condition(&enough));
  free_slots_ -= count;
  figures_.wait_us += absl::ToInt64Microseconds(absl::Now() - begin);
}

void Sandbox::GiveSlot() {
  absl::MutexLock lock(&mu_);
  ++free_slots_;
}

void Sandbox::Count(const Outcome& outcome) {
  absl::MutexLock lock(&mu_);
  ++figures_.runs;
  ++figures_.verdicts[std::string(VerdictCode(outcome.verdict))];
  figures_.wall_us += absl::ToInt64Microseconds(outcome.wall);
  figures_.leaks = outcome.leaks;
}

SandboxFigures Sandbox::Figures() const {
  absl::MutexLock lock(&mu_);
  SandboxFigures figures = figures_;
  figures.slots_busy = figures.slots - free_slots_;
  return figures;
}

}  // namespace cohort
