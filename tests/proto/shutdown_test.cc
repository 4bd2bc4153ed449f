#include "proto/shutdown.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "absl/time/time.h"
#include "gtest/gtest.h"

namespace cohort {
namespace {

// In a process of its own: exits with 10 once asked to stop.
[[noreturn]] void StopInOrder(int ready_fd) {
  Shutdown shutdown;
  const char ready = 'r';
  if (write(ready_fd, &ready, 1) != 1) _exit(99);
  shutdown.Wait();
  _exit(shutdown.Requested() ? 10 : 11);
}

// Notices the first signal and never ends by itself.
[[noreturn]] void NeverStop(int ready_fd) {
  Shutdown shutdown;
  const char ready = 'r';
  if (write(ready_fd, &ready, 1) != 1) _exit(99);
  shutdown.Wait();
  if (write(ready_fd, &ready, 1) != 1) _exit(99);
  while (true) pause();
}

class Process {
 public:
  explicit Process(void (*body)(int ready_fd)) {
    int fds[2];
    EXPECT_EQ(pipe(fds), 0);
    pid_ = fork();
    if (pid_ == 0) {
      body(fds[1]);
      _exit(98);
    }
    close(fds[1]);
    ready_fd_ = fds[0];
    WaitReady();
  }
  ~Process() { close(ready_fd_); }
  void WaitReady() {
    char ready = 0;
    EXPECT_EQ(read(ready_fd_, &ready, 1), 1);
  }
  void Signal(int number) { EXPECT_EQ(kill(pid_, number), 0); }
  int ExitCode() {
    int status = 0;
    EXPECT_EQ(waitpid(pid_, &status, 0), pid_);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }

 private:
  pid_t pid_ = -1;
  int ready_fd_ = -1;
};

TEST(ShutdownTest, TermAndInterruptEndInOrder) {
  for (const int number : {SIGTERM, SIGINT}) {
    Process process(StopInOrder);
    process.Signal(number);
    EXPECT_EQ(process.ExitCode(), 10) << number;
  }
}

TEST(ShutdownTest, ASecondInterruptEndsAtOnce) {
  Process process(NeverStop);
  process.Signal(SIGINT);
  process.WaitReady();
  process.Signal(SIGINT);
  EXPECT_EQ(process.ExitCode(), 130);
}

TEST(ShutdownTest, RequestWakesWaiters) {
  Shutdown shutdown;
  EXPECT_FALSE(shutdown.Requested());
  EXPECT_FALSE(shutdown.WaitFor(absl::ZeroDuration()));
  std::thread requester([&] { shutdown.Request(); });
  shutdown.Wait();
  requester.join();
  EXPECT_TRUE(shutdown.Requested());
}

TEST(ShutdownTest, WorksAgainAfterAnEarlierOneWasDestroyed) {
  { Shutdown first; }
  Shutdown second;
  kill(getpid(), SIGTERM);
  second.Wait();
  EXPECT_TRUE(second.Requested());
}

}  // namespace
}  // namespace cohort
