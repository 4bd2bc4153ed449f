#include "learner/local_services.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/synchronization/notification.h"
#include "gmock/gmock.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temp_dir.h"

namespace cohort {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// Programs that stand for the two binaries: each tells its process id and its
// arguments through a pipe, and then waits for its end.
class LocalServicesTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(mkfifo((dir_ / "told").c_str(), 0600), 0);
    told_ = open((dir_ / "told").c_str(), O_RDWR | O_CLOEXEC);
    ASSERT_GE(told_, 0);
    WriteProgram("cohort-rewards",
                 "[ $3 = 127.0.0.1:0 ] && at=127.0.0.1:4711 || at=$3\n"
                 "echo listening on $at\n"
                 "exec sleep 1000");
    WriteProgram("cohort-rollout",
                 absl::StrCat("read learner\nread rewards\n"
                              "echo $$ told $learner $rewards > ",
                              dir_ / "told", "\nexec sleep 1000"));
    options_.bin_dir = dir_.path();
    options_.logs_dir = dir_.path();
    options_.workers = 1;
    options_.poll = absl::Milliseconds(2);
    options_.first_backoff = absl::Milliseconds(1);
    options_.max_backoff = absl::Milliseconds(4);
  }

  void TearDown() override { close(told_); }

  void WriteProgram(const std::string& name, const std::string& body) {
    const std::string path =
        dir_.Write(name, absl::StrCat("#!/bin/sh\necho $$ $@ > ", dir_ / "told",
                                      "\n", body, "\n"));
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
  }

  struct Started {
    pid_t pid = 0;
    std::string arguments;
  };

  // The next program that was started. Blocks until there is one.
  Started NextStarted() {
    std::string line;
    char c = 0;
    while (read(told_, &c, 1) == 1 && c != '\n') line.push_back(c);
    const std::vector<std::string> parts =
        absl::StrSplit(line, absl::MaxSplits(' ', 1));
    return {.pid = std::stoi(parts[0]), .arguments = parts[1]};
  }

  static bool IsAlive(pid_t pid) { return kill(pid, 0) == 0; }

  TempDir dir_;
  int told_ = -1;
  LocalServicesOptions options_;
};

TEST_F(LocalServicesTest, WorkersAreToldWhereEverythingIs) {
  options_.worker_arguments = {"--threads", "1"};
  LocalServices services(options_);
  const Started worker = NextStarted();
  EXPECT_EQ(worker.arguments,
            "rollout-worker --name worker-0 --learner - --rewards - "
            "--threads 1");
  services.TellWorkers("127.0.0.1:99", "127.0.0.1:4711");
  const Started told = NextStarted();
  EXPECT_EQ(told.pid, worker.pid);
  EXPECT_EQ(told.arguments, "told 127.0.0.1:99 127.0.0.1:4711");
}

TEST_F(LocalServicesTest, AKilledWorkerIsStartedAgain) {
  LocalServices services(options_);
  services.TellWorkers("127.0.0.1:99", "127.0.0.1:4711");
  const Started worker = NextStarted();
  const Started told = NextStarted();
  kill(worker.pid, SIGKILL);
  const Started again = NextStarted();
  EXPECT_NE(again.pid, worker.pid);
  EXPECT_EQ(again.arguments, worker.arguments);
  EXPECT_EQ(NextStarted().arguments, told.arguments);
  services.Stop();
  EXPECT_EQ(services.restarts(), 1);
}

// The workers know one address for the whole run.
TEST_F(LocalServicesTest, ARewardServerComesBackAtItsAddress) {
  options_.workers = 0;
  options_.reward_server = true;
  options_.reward_arguments = {"--workers", "2"};
  LocalServices services(options_);
  COHORT_ASSERT_OK(services.AwaitStarted());
  EXPECT_EQ(services.rewards_address(), "127.0.0.1:4711");
  const Started server = NextStarted();
  EXPECT_EQ(server.arguments, "reward-server --listen 127.0.0.1:0 --workers 2");
  kill(server.pid, SIGKILL);
  EXPECT_EQ(NextStarted().arguments,
            "reward-server --listen 127.0.0.1:4711 --workers 2");
}

TEST_F(LocalServicesTest, ARewardServerKilledBeforeItListensIsStartedAgain) {
  // The first one dies, and leaves word for the second.
  WriteProgram(
      "cohort-rewards",
      absl::StrCat("[ -e ", dir_ / "second", " ] || { touch ", dir_ / "second",
                   "; kill -9 $$; }\n"
                   "echo listening on 127.0.0.1:4712\n"
                   "exec sleep 1000"));
  options_.workers = 0;
  options_.reward_server = true;
  LocalServices services(options_);
  COHORT_ASSERT_OK(services.AwaitStarted());
  EXPECT_EQ(services.rewards_address(), "127.0.0.1:4712");
}

TEST_F(LocalServicesTest, StopEndsAllOfThem) {
  options_.workers = 3;
  options_.reward_server = true;
  LocalServices services(options_);
  std::vector<pid_t> pids;
  for (int i = 0; i < 4; ++i) pids.push_back(NextStarted().pid);
  services.Stop();
  for (const pid_t pid : pids) EXPECT_FALSE(IsAlive(pid));
  EXPECT_GT(services.CpuSeconds(), 0);
}

TEST_F(LocalServicesTest, AWorkerThatOnlyDiesIsGivenUp) {
  WriteProgram("cohort-rollout", "exit 3");
  options_.max_failures = 3;
  absl::Notification given_up;
  absl::Status why;
  options_.on_give_up = [&](const absl::Status& status) {
    why = status;
    given_up.Notify();
  };
  LocalServices services(options_);
  given_up.WaitForNotification();
  EXPECT_THAT(why,
              StatusIs(absl::StatusCode::kUnavailable,
                       AllOf(HasSubstr("worker-0"), HasSubstr("code 3"),
                             HasSubstr("3 times"), HasSubstr("worker-0.log"))));
}

TEST_F(LocalServicesTest, AMissingBinaryIsNamed) {
  std::filesystem::remove(dir_ / "cohort-rewards");
  options_.reward_server = true;
  LocalServices services(options_);
  EXPECT_THAT(services.AwaitStarted(),
              StatusIs(absl::StatusCode::kNotFound,
                       HasSubstr(dir_ / "cohort-rewards")));
  services.Stop();
  // The worker may have been ended before it could tell that it ran.
  ASSERT_EQ(write(told_, "0 nobody\n", 9), 9);
  const Started worker = NextStarted();
  if (worker.pid != 0) {
    EXPECT_FALSE(IsAlive(worker.pid));
  }
}

}  // namespace
}  // namespace cohort
