#include "sandbox/runner.h"

#include <dirent.h>
#include <signal.h>

#include <fstream>
#include <iterator>
#include <set>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/sandbox/sandbox_fixture.h"
#include "tests/testing/status_matchers.h"

namespace cohort {
namespace {

using ::testing::HasSubstr;

std::set<std::string> NamesIn(const std::string& path) {
  std::set<std::string> names;
  DIR* const folder = opendir(path.c_str());
  while (const dirent* entry = folder == nullptr ? nullptr : readdir(folder)) {
    names.insert(entry->d_name);
  }
  if (folder != nullptr) closedir(folder);
  return names;
}

class RunnerTest : public SandboxTest {};

TEST_F(RunnerTest, FiguresAreThoseOfTheRun) {
  const Outcome outcome =
      Run(Script("x = bytearray(b'x' * (60 << 20))\nimport sys\n"
                 "print('out')\nprint('err', file=sys.stderr)\n"
                 "open('f', 'wb').write(b'x' * (1 << 20))\nsys.exit(3)\n"));
  EXPECT_EQ(outcome.verdict, RunVerdict::kRE);
  EXPECT_EQ(outcome.exit_code, 3);
  EXPECT_EQ(outcome.out, "out\n");
  EXPECT_EQ(outcome.err, "err\n");
  EXPECT_GT(outcome.peak_memory_bytes, 60 << 20);
  EXPECT_LT(outcome.peak_memory_bytes, 150 << 20);
  EXPECT_GE(outcome.disk_bytes, 1 << 20);
  EXPECT_GT(outcome.cpu, absl::ZeroDuration());
  EXPECT_GE(outcome.wall, absl::ZeroDuration());
}

TEST_F(RunnerTest, CpuTimeOfChildrenCounts) {
  Limits limits = SmallLimits();
  limits.cpu = absl::Milliseconds(500);
  const Outcome outcome = sandbox_->RunProgram(
      Script("import os\nfor _ in range(3):\n    if os.fork() == 0:\n"
             "        while True:\n            pass\nos.wait()\n"),
      limits);
  EXPECT_EQ(outcome.verdict, RunVerdict::kTLE) << outcome.reason;
  EXPECT_GE(outcome.cpu, limits.cpu);
  EXPECT_LT(outcome.cpu, limits.cpu + absl::Milliseconds(500));
}

TEST_F(RunnerTest, ASleeperIsEndedAtTheWallLimitThoughItMayStretch) {
  Limits limits = SmallLimits();
  limits.wall = absl::Milliseconds(700);
  limits.wall_most = absl::Minutes(5);
  const Outcome outcome =
      sandbox_->RunProgram(Script("import time\ntime.sleep(100)\n"), limits);
  EXPECT_EQ(outcome.verdict, RunVerdict::kTLE);
  EXPECT_THAT(outcome.reason, HasSubstr("wall"));
  EXPECT_GE(outcome.wall, limits.wall);
}

TEST_F(RunnerTest, LimitsThatCannotBeAreOurFault) {
  for (int64_t Limits::*limit :
       {&Limits::memory_bytes, &Limits::disk_bytes, &Limits::output_bytes}) {
    for (const int64_t value : {int64_t{0}, int64_t{-5}, int64_t{1} << 60}) {
      Limits limits = SmallLimits();
      limits.*limit = value;
      const Outcome outcome = sandbox_->RunProgram(Script("pass"), limits);
      EXPECT_EQ(outcome.verdict, RunVerdict::kIE);
      EXPECT_THAT(outcome.reason, HasSubstr("limit"));
    }
  }
  Limits limits = SmallLimits();
  limits.cpu = absl::ZeroDuration();
  EXPECT_EQ(sandbox_->RunProgram(Script("pass"), limits).verdict,
            RunVerdict::kIE);
}

TEST_F(RunnerTest, AMissingInterpreterIsOurFault) {
  Program program = Shell("true");
  program.argv = {"/usr/bin/no-such-interpreter"};
  const Outcome outcome = Run(program);
  EXPECT_EQ(outcome.verdict, RunVerdict::kIE);
  EXPECT_THAT(outcome.reason, HasSubstr("execute"));
}

TEST_F(RunnerTest, AFullDiskIsTheProgramsFault) {
  Limits limits = SmallLimits();
  limits.disk_bytes = 1 << 20;
  const Outcome outcome = sandbox_->RunProgram(
      Script("open('f', 'wb').write(b'x' * (4 << 20))\n"), limits);
  EXPECT_EQ(outcome.verdict, RunVerdict::kOLE) << outcome.reason;
}

TEST_F(RunnerTest, EveryRunIsANewWorld) {
  const Program program = Script(
      "import os, random\n"
      "print(os.path.exists('/tmp/left'), random.random(), hash('a'), "
      "os.getpid())\nopen('/tmp/left', 'w').close()\n");
  const std::string first = Run(program).out;
  EXPECT_THAT(first, HasSubstr("False"));
  EXPECT_EQ(Run(program).out, first);
}

TEST_F(RunnerTest, NoDescriptorProcessOrCgroupIsLeft) {
  Run(Shell("true"));
  const size_t before = NamesIn("/proc/self/fd").size();
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 8; ++i) {
      threads.emplace_back([] {
        for (int run = 0; run < 5; ++run) {
          EXPECT_EQ(Run(Script("import os\nif os.fork() == 0:\n"
                               "    import time\n    time.sleep(100)\n"
                               "print(7)\n"))
                        .out,
                    "7\n");
        }
      });
    }
  }
  EXPECT_EQ(NamesIn("/proc/self/fd").size(), before);
  EXPECT_EQ(sandbox_->Figures().slots_busy, 0);
}

TEST_F(RunnerTest, AProgramThatIsKilledKeepsWhatItHadWritten) {
  const Program program =
      Script("print(7, flush=True)\nwhile True:\n    pass\n");
  auto running = sandbox_->Launch({&program}, SmallLimits());
  ASSERT_THAT(running, IsOk());
  absl::SleepFor(absl::Milliseconds(300));
  (*running)[0]->Kill();
  const Outcome outcome = (*running)[0]->Finish();
  EXPECT_EQ(outcome.verdict, RunVerdict::kRE);
}

TEST_F(RunnerTest, AZygoteThatDiesIsStartedAgain) {
  EXPECT_EQ(Run(Script("print(7)\n")).verdict, RunVerdict::kAC);
  // Ours is the only one whose parent is our launcher.
  for (const std::string& name : NamesIn("/proc")) {
    std::ifstream file(absl::StrCat("/proc/", name, "/cmdline"));
    const std::string line{std::istreambuf_iterator<char>(file), {}};
    std::ifstream stat(absl::StrCat("/proc/", name, "/stat"));
    std::string parent;
    stat >> parent >> parent >> parent >> parent;
    std::ifstream parents(absl::StrCat("/proc/", parent, "/stat"));
    std::string grandparent;
    parents >> grandparent >> grandparent >> grandparent >> grandparent;
    if (absl::StrContains(line, "/.cohort/zygote.py") &&
        grandparent == absl::StrCat(getpid())) {
      kill(static_cast<pid_t>(std::stol(name)), SIGKILL);
    }
  }
  Outcome outcome;
  for (int attempt = 0; attempt < 20; ++attempt) {
    outcome = Run(Script("print(7)\n"));
    if (outcome.verdict == RunVerdict::kAC) break;
    EXPECT_EQ(outcome.verdict, RunVerdict::kIE);
    absl::SleepFor(absl::Milliseconds(50));
  }
  EXPECT_EQ(outcome.out, "7\n");
}

TEST(SandboxStartTest, WithoutALauncherItSaysSo) {
  const auto sandbox = Sandbox::Start({.languages = BuiltInLanguages(),
                                       .slots = 1,
                                       .launcher = "/no/such/cohort-launcher"});
  EXPECT_EQ(sandbox.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(sandbox.status().message(), HasSubstr("cohort-launcher"));
}

}  // namespace
}  // namespace cohort
