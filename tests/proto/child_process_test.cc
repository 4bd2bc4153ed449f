#include "proto/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temp_dir.h"

namespace cohort {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr absl::Duration kLong = absl::Seconds(60);

// Waits for the end of a process that need not be our child.
class ProcessWatch {
 public:
  explicit ProcessWatch(pid_t pid)
      : fd_(static_cast<int>(syscall(SYS_pidfd_open, pid, 0))) {}
  ~ProcessWatch() { close(fd_); }
  bool IsOpen() const { return fd_ >= 0; }
  bool EndsWithin(absl::Duration patience) const {
    pollfd ended = {.fd = fd_, .events = POLLIN, .revents = 0};
    return poll(&ended, 1,
                static_cast<int>(absl::ToInt64Milliseconds(patience))) == 1;
  }

 private:
  const int fd_;
};

class ChildProcessTest : public testing::Test {
 protected:
  absl::StatusOr<ChildProcess> Shell(const std::string& script,
                                     const std::string& ready_prefix = "",
                                     absl::Duration ready_timeout = kLong) {
    return ChildProcess::Start({"sh", "-c", script}, log_, ready_prefix,
                               ready_timeout);
  }

  static void WaitForEnd(ChildProcess* child) {
    ProcessWatch(child->pid()).EndsWithin(kLong);
    EXPECT_FALSE(child->Running());
  }

  const TempDir dir_;
  const std::string log_ = dir_ / "log";
};

TEST_F(ChildProcessTest, TheReadyLineIsReadAndOthersAreNot) {
  absl::StatusOr<ChildProcess> child =
      Shell("echo starting; echo listening on 127.0.0.1:7; exec sleep 1000",
            "listening on ");
  COHORT_ASSERT_OK(child);
  EXPECT_EQ(child->ready_line(), "127.0.0.1:7");
  EXPECT_TRUE(child->Running());
  EXPECT_EQ(child->HowItEnded(), "");
}

TEST_F(ChildProcessTest, AChildReadsWhatItIsTold) {
  absl::StatusOr<ChildProcess> child = ChildProcess::StartToTell(
      {"sh", "-c", "read a; read b; echo got $b $a"}, log_);
  COHORT_ASSERT_OK(child);
  child->Tell("one");
  child->Tell("two");
  WaitForEnd(&*child);
  EXPECT_EQ(TempDir::Read(log_), "got two one\n");
  child->Tell("nobody listens");
}

TEST_F(ChildProcessTest, AChildThatNeverGetsReadyIsKilled) {
  EXPECT_THAT(
      Shell("echo $$ >&2; exec sleep 1000", "ready", absl::Milliseconds(200)),
      StatusIs(absl::StatusCode::kDeadlineExceeded,
               AllOf(HasSubstr("sh did not say 'ready' within 200ms"),
                     HasSubstr(log_))));
  int pid = 0;
  ASSERT_TRUE(absl::SimpleAtoi(TempDir::Read(log_), &pid));
  EXPECT_EQ(kill(pid, 0), -1);
}

TEST_F(ChildProcessTest, AChildThatEndsBeforeItIsReadySaysHow) {
  EXPECT_THAT(Shell("echo no good; exit 3", "ready"),
              StatusIs(absl::StatusCode::kUnavailable,
                       HasSubstr("ended before it said 'ready': exit code 3")));
  EXPECT_THAT(
      Shell("kill -9 $$", "ready"),
      StatusIs(absl::StatusCode::kUnavailable, HasSubstr("signal 9 (Killed)")));
}

TEST_F(ChildProcessTest, AMissingProgramOrLogIsNamed) {
  EXPECT_THAT(ChildProcess::Start({dir_ / "none"}, log_),
              StatusIs(absl::StatusCode::kNotFound,
                       AllOf(StartsWith("cannot start "), HasSubstr("none"))));
  EXPECT_THAT(ChildProcess::Start({"true"}, dir_ / "no/log"),
              StatusIs(absl::StatusCode::kNotFound,
                       AllOf(StartsWith("cannot open "), HasSubstr("no/log"))));
  EXPECT_THAT(ChildProcess::Start({dir_.path()}, log_),
              StatusIs(absl::StatusCode::kPermissionDenied,
                       HasSubstr("Permission denied")));
}

TEST_F(ChildProcessTest, AKilledChildIsNoticed) {
  absl::StatusOr<ChildProcess> child = Shell("exec sleep 1000");
  COHORT_ASSERT_OK(child);
  ASSERT_EQ(kill(child->pid(), SIGKILL), 0);
  WaitForEnd(&*child);
  EXPECT_EQ(child->HowItEnded(), "signal 9 (Killed)");
}

// A pipe holds 64 KiB; a child whose reader stopped would wait for ever.
TEST_F(ChildProcessTest, OutputAfterTheReadyLineGoesToTheLog) {
  absl::StatusOr<ChildProcess> child = Shell(
      "echo ready; head -c 1000000 /dev/zero; echo; echo the end", "ready");
  COHORT_ASSERT_OK(child);
  WaitForEnd(&*child);
  EXPECT_EQ(child->HowItEnded(), "exit code 0");
  const std::string log = TempDir::Read(log_);
  EXPECT_EQ(log.size(), 6 + 1000000 + 1 + 8);
  EXPECT_THAT(log, EndsWith("\nthe end\n"));
}

TEST_F(ChildProcessTest, TheLogIsAppendedTo) {
  dir_.Write("log", "before\n");
  absl::StatusOr<ChildProcess> child = Shell("echo out; echo error >&2");
  COHORT_ASSERT_OK(child);
  WaitForEnd(&*child);
  EXPECT_EQ(TempDir::Read(log_), "before\nout\nerror\n");
}

TEST_F(ChildProcessTest, StoppingIsPoliteFirst) {
  absl::StatusOr<ChildProcess> child = Shell(
      "trap 'exit 7' TERM; echo ready; while :; do read -r x < fifo; done",
      "ready");
  COHORT_ASSERT_OK(child);
  child->Stop(kLong);
  EXPECT_EQ(child->HowItEnded(), "exit code 7");
}

TEST_F(ChildProcessTest, StoppingEndsTheStubborn) {
  absl::StatusOr<ChildProcess> child =
      Shell("trap '' TERM; echo ready; while :; do sleep 1000; done", "ready");
  COHORT_ASSERT_OK(child);
  child->Stop(absl::Milliseconds(50));
  EXPECT_EQ(child->HowItEnded(), "signal 9 (Killed)");
}

TEST_F(ChildProcessTest, WhatAChildLeavesBehindEndsWithIt) {
  absl::StatusOr<ChildProcess> child =
      Shell("sleep 1000 & echo ready $!; exec sleep 1000", "ready ");
  COHORT_ASSERT_OK(child);
  int left_behind = 0;
  ASSERT_TRUE(absl::SimpleAtoi(child->ready_line(), &left_behind));
  const ProcessWatch watch(left_behind);
  ASSERT_TRUE(watch.IsOpen());
  kill(child->pid(), SIGKILL);
  WaitForEnd(&*child);
  EXPECT_TRUE(watch.EndsWithin(kLong));
}

TEST_F(ChildProcessTest, AChildDiesWithItsKilledParent) {
  absl::StatusOr<ChildProcess> parent =
      ChildProcess::Start({PARENT_PROGRAM, log_}, log_, "child ", kLong);
  COHORT_ASSERT_OK(parent);
  int grandchild = 0;
  ASSERT_TRUE(absl::SimpleAtoi(parent->ready_line(), &grandchild));
  const ProcessWatch watch(grandchild);
  ASSERT_TRUE(watch.IsOpen());
  ASSERT_EQ(kill(parent->pid(), SIGKILL), 0);
  EXPECT_TRUE(watch.EndsWithin(kLong));
}

TEST_F(ChildProcessTest, NoDescriptorOfOursIsInherited) {
  const int fd = open("/dev/null", O_RDONLY);  // Without O_CLOEXEC.
  ASSERT_GE(fd, 0);
  absl::StatusOr<ChildProcess> child =
      ChildProcess::Start({"ls", "/proc/self/fd"}, log_);
  COHORT_ASSERT_OK(child);
  WaitForEnd(&*child);
  close(fd);
  EXPECT_EQ(TempDir::Read(log_), "0\n1\n2\n3\n");  // 3 is the listed folder.
}

// The learner blocks SIGTERM and ignores SIGPIPE; a child must do neither.
TEST_F(ChildProcessTest, SignalsBlockedHereReachTheChild) {
  sigset_t term, before;
  sigemptyset(&term);
  sigaddset(&term, SIGTERM);
  ASSERT_EQ(pthread_sigmask(SIG_BLOCK, &term, &before), 0);
  const auto old_handler = signal(SIGPIPE, SIG_IGN);
  absl::StatusOr<ChildProcess> child = ChildProcess::Start(
      {"grep", "-E", "Sig(Blk|Ign)", "/proc/self/status"}, log_);
  signal(SIGPIPE, old_handler);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  COHORT_ASSERT_OK(child);
  WaitForEnd(&*child);
  EXPECT_EQ(TempDir::Read(log_),
            "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
}

TEST_F(ChildProcessTest, CpuTimeIsKnownAfterTheEnd) {
  absl::StatusOr<ChildProcess> child = Shell(
      "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; echo ready; "
      "exec sleep 1000",
      "ready");
  COHORT_ASSERT_OK(child);
  const double so_far = child->CpuSeconds();
  EXPECT_GT(so_far, 0);
  child->Stop(kLong);
  EXPECT_GE(child->CpuSeconds(), so_far - 0.02);  // A clock tick each way.
  EXPECT_LT(child->CpuSeconds(), 10);
}

TEST_F(ChildProcessTest, AMovedChildIsStillWatched) {
  absl::StatusOr<ChildProcess> first = Shell("exec sleep 1000");
  absl::StatusOr<ChildProcess> second = Shell("exec sleep 1000");
  COHORT_ASSERT_OK(first);
  COHORT_ASSERT_OK(second);
  const ProcessWatch replaced(first->pid());
  const pid_t pid = second->pid();
  *first = *std::move(second);
  EXPECT_TRUE(replaced.EndsWithin(absl::ZeroDuration()));
  EXPECT_EQ(first->pid(), pid);
  EXPECT_TRUE(first->Running());
}

TEST(OwnBinaryDirTest, IsWhereTheTestLies) {
  const auto dir = OwnBinaryDir();
  COHORT_ASSERT_OK(dir);
  EXPECT_TRUE(std::filesystem::exists(*dir + "/proto_child_process_test"));
}

}  // namespace
}  // namespace cohort
