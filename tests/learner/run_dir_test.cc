#include "learner/run_dir.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "gmock/gmock.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temp_dir.h"

namespace cohort {
namespace {

using ::testing::HasSubstr;

class RunDirTest : public testing::Test {
 protected:
  TempDir dir_;
  std::string path_ = dir_ / "runs/chain";
};

TEST_F(RunDirTest, ANewRunGetsItsFolders) {
  const auto run = RunDir::Open(path_, /*resume=*/false);
  COHORT_ASSERT_OK(run);
  EXPECT_FALSE(run->existed());
  EXPECT_TRUE(std::filesystem::is_directory(run->logs()));
  EXPECT_TRUE(std::filesystem::is_directory(run->checkpoints()));
  EXPECT_EQ(run->metrics(), path_ + "/metrics.jsonl");
}

TEST_F(RunDirTest, AnExistingRunIsContinuedOnlyWhenAsked) {
  std::filesystem::create_directories(path_);
  dir_.Write("runs/chain/config.yaml", "run: {}\n");
  EXPECT_THAT(RunDir::Open(path_, /*resume=*/false),
              StatusIs(absl::StatusCode::kAlreadyExists, HasSubstr(path_)));
  const auto resumed = RunDir::Open(path_, /*resume=*/true);
  COHORT_ASSERT_OK(resumed);
  EXPECT_TRUE(resumed->existed());
}

TEST_F(RunDirTest, ResumingARunThatIsMissingBeginsIt) {
  const auto run = RunDir::Open(path_, /*resume=*/true);
  COHORT_ASSERT_OK(run);
  EXPECT_FALSE(run->existed());
}

// A learner that died before it wrote anything leaves folders and no run.
TEST_F(RunDirTest, AnEmptyFolderIsNoRun) {
  COHORT_ASSERT_OK(RunDir::Open(path_, /*resume=*/false));
  COHORT_EXPECT_OK(RunDir::Open(path_, /*resume=*/false));
}

TEST_F(RunDirTest, WhatIsAbandonedLeavesNothingBehind) {
  auto run = RunDir::Open(path_, /*resume=*/false);
  COHORT_ASSERT_OK(run);
  dir_.Write("runs/chain/logs/worker-0.log", "started\n");
  run->Abandon();
  EXPECT_FALSE(std::filesystem::exists(dir_ / "runs"));
}

TEST_F(RunDirTest, WhatWasThereBeforeIsNotAbandoned) {
  std::filesystem::create_directories(path_ + "/logs");
  dir_.Write("runs/chain/logs/mine.log", "kept\n");
  dir_.Write("runs/chain/notes", "kept\n");
  auto run = RunDir::Open(path_, /*resume=*/false);
  COHORT_ASSERT_OK(run);
  run->Abandon();
  EXPECT_TRUE(std::filesystem::exists(path_ + "/logs/mine.log"));
  EXPECT_TRUE(std::filesystem::exists(path_ + "/notes"));
  EXPECT_FALSE(std::filesystem::exists(path_ + "/checkpoints"));
}

TEST_F(RunDirTest, ARunIsNeverAbandoned) {
  auto run = RunDir::Open(path_, /*resume=*/false);
  COHORT_ASSERT_OK(run);
  dir_.Write("runs/chain/config.yaml", "run: {}\n");
  run->Abandon();
  EXPECT_TRUE(std::filesystem::exists(run->config()));
  EXPECT_TRUE(std::filesystem::exists(run->logs()));
}

TEST_F(RunDirTest, ASecondLearnerIsRefused) {
  auto first = RunDir::Open(path_, /*resume=*/true);
  COHORT_ASSERT_OK(first);
  EXPECT_THAT(
      RunDir::Open(path_, /*resume=*/true),
      StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr(path_)));
  { const RunDir moved = *std::move(first); }
  COHORT_EXPECT_OK(RunDir::Open(path_, /*resume=*/true));
}

TEST_F(RunDirTest, AKilledLearnerLeavesNoLock) {
  int pipe_fds[2];
  ASSERT_EQ(pipe(pipe_fds), 0);
  const pid_t child = fork();
  if (child == 0) {
    const auto run = RunDir::Open(path_, /*resume=*/true);
    const char locked = run.ok() ? 'y' : 'n';
    if (write(pipe_fds[1], &locked, 1) != 1) _exit(1);
    pause();
  }
  char locked = 0;
  ASSERT_EQ(read(pipe_fds[0], &locked, 1), 1);
  ASSERT_EQ(locked, 'y');
  EXPECT_THAT(
      RunDir::Open(path_, true),
      StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("at work")));
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  COHORT_EXPECT_OK(RunDir::Open(path_, true));
}

TEST_F(RunDirTest, AFolderThatCannotBeMadeIsNamed) {
  const std::string file = dir_.Write("file", "");
  EXPECT_THAT(RunDir::Open(file + "/run", false),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       HasSubstr(file + "/run")));
  EXPECT_THAT(RunDir::OpenToRead(dir_ / "none"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("none")));
}

}  // namespace
}  // namespace cohort
