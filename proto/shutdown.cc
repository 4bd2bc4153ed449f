#include "proto/shutdown.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

#include "proto/check.h"

namespace cohort {
namespace {

constexpr int kExitInterrupted = 128 + SIGINT;  // As shells report it.

sigset_t ShutdownSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  return signals;
}

}  // namespace

Shutdown::Shutdown() {
  const sigset_t signals = ShutdownSignals();
  COHORT_CHECK(pthread_sigmask(SIG_BLOCK, &signals, nullptr) == 0);
  signal_fd_ = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
  end_fd_ = eventfd(0, EFD_CLOEXEC);
  COHORT_CHECK(signal_fd_ >= 0 && end_fd_ >= 0);
  watcher_ = std::thread([this] { Watch(); });
}

// The signals stay blocked: one that comes while the process is already
// stopping must not kill it half-way.
Shutdown::~Shutdown() {
  const uint64_t one = 1;
  COHORT_CHECK(write(end_fd_, &one, sizeof(one)) == sizeof(one));
  watcher_.join();
  close(signal_fd_);
  close(end_fd_);
}

void Shutdown::Watch() {
  bool interrupted = false;
  while (true) {
    pollfd fds[] = {{.fd = signal_fd_, .events = POLLIN, .revents = 0},
                    {.fd = end_fd_, .events = POLLIN, .revents = 0}};
    if (poll(fds, 2, -1) < 0) {
      COHORT_CHECK(errno == EINTR);
      continue;
    }
    if (fds[1].revents != 0) return;
    signalfd_siginfo info;
    if (read(signal_fd_, &info, sizeof(info)) != sizeof(info)) continue;
    if (info.ssi_signo == SIGINT && interrupted) _exit(kExitInterrupted);
    interrupted |= info.ssi_signo == SIGINT;
    Request();
  }
}

void Shutdown::Request() {
  absl::MutexLock lock(&mu_);
  requested_.store(true);
}

void Shutdown::Wait() { WaitFor(absl::InfiniteDuration()); }

bool Shutdown::WaitFor(absl::Duration timeout) {
  absl::MutexLock lock(&mu_);
  return mu_.AwaitWithTimeout(
      absl::Condition(
          +[](std::atomic<bool>* requested) { return requested->load(); },
          &requested_),
      timeout);
}

}  // namespace cohort
