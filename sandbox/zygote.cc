// The shared library that a warmed interpreter loads: waits for the launcher's
// requests and forks a program for each. It links the same code that the
// launcher starts runs with.
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <map>

#include "sandbox/spawn.h"

namespace cohort {
namespace {

constexpr int kSocket = 3;

void Reply(const ZygoteReply& reply) {
  SendFdMessage(
      kSocket,
      std::string_view(reinterpret_cast<const char*>(&reply), sizeof(reply)),
      {});
}

int64_t Nanoseconds(const timeval& time) {
  return int64_t{time.tv_sec} * 1'000'000'000 + int64_t{time.tv_usec} * 1000;
}

// Says of every child that has ended how it did.
void ReapAll(std::map<pid_t, uint64_t>* ids) {
  int wait_status = 0;
  rusage usage = {};
  for (pid_t pid = 0; (pid = wait4(-1, &wait_status, WNOHANG, &usage)) > 0;) {
    const auto found = ids->find(pid);
    if (found == ids->end()) continue;
    Reply({.id = found->second,
           .forked = 1,
           .wait_status = wait_status,
           .cpu_ns = Nanoseconds(usage.ru_utime) + Nanoseconds(usage.ru_stime),
           .max_rss_bytes = int64_t{usage.ru_maxrss} * 1024});
    ids->erase(found);
  }
}

// The arguments, each ended by a NUL. -1 where they do not fit.
long CopyArguments(const RunSpec& spec, char* text, long capacity) {
  long size = 0;
  for (const std::string& argument : spec.argv) {
    const long bytes = static_cast<long>(argument.size()) + 1;
    if (size + bytes > capacity) return -1;
    std::memcpy(text + size, argument.c_str(), static_cast<size_t>(bytes));
    size += bytes;
  }
  return size;
}

long Serve(char* text, long capacity) {
  // The launcher ignores it, which would reap children unseen.
  signal(SIGCHLD, SIG_DFL);
  sigset_t child;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  sigprocmask(SIG_BLOCK, &child, nullptr);
  const int signals = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
  std::map<pid_t, uint64_t> ids;
  while (true) {
    pollfd polled[] = {{kSocket, POLLIN, 0}, {signals, POLLIN, 0}};
    if (poll(polled, 2, -1) < 0) continue;
    if (polled[1].revents != 0) {
      signalfd_siginfo info;
      while (read(signals, &info, sizeof(info)) > 0) {
      }
      ReapAll(&ids);
    }
    if (polled[0].revents == 0) continue;
    std::optional<FdMessage> message = ReceiveFdMessage(kSocket);
    if (!message.has_value()) return -1;
    const std::optional<RunSpec> spec = ParseRunSpec(message->bytes);
    if (!spec.has_value() || message->fds.size() < LeastZygoteFds(*spec)) {
      return -1;
    }
    const pid_t pid = ForkProgram(*spec, ArrangeZygoteFds(*spec, *message));
    if (pid == 0) {
      // Closed with all others; their numbers may be new ones' now.
      for (Descriptor& fd : message->fds) fd.Release();
      return CopyArguments(*spec, text, capacity);
    }
    if (pid > 0) {
      ids[pid] = spec->id;
    } else {
      Reply({.id = spec->id});
    }
  }
}

}  // namespace
}  // namespace cohort

// Serves requests until one becomes this process: in a run's program, behind
// all its fences, writes the run's arguments to `text` and returns their bytes.
// -1 where the launcher is gone, or they do not fit.
extern "C" __attribute__((visibility("default"))) long cohort_next_run(
    char* text, long capacity) {
  return cohort::Serve(text, capacity);
}
