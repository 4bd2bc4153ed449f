// Every fence with the others off: what it stops must work without it, or the
// test would prove nothing.
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/sandbox/sandbox_fixture.h"

namespace cohort {
namespace {

using ::testing::HasSubstr;

// Whether an attempt works, alone and behind one fence. Without kFenceUser a
// program is root of the jail, as strong as it can be there.
class FencesTest : public SandboxTest {
 protected:
  static std::string With(const Program& program, uint32_t fences) {
    Program attempt = program;
    attempt.fences = fences;
    const Outcome outcome = Run(attempt);
    if (outcome.verdict == RunVerdict::kSV) return "BLOCKED";
    return outcome.out.substr(0, outcome.out.find('\n')) +
           (outcome.verdict == RunVerdict::kIE ? "IE " + outcome.reason : "");
  }

  // The counters stay on in any case: a test must not harm the machine.
  static void ExpectStops(uint32_t fence, const Program& attempt) {
    EXPECT_EQ(With(attempt, kFenceCgroup), "ESCAPED");
    EXPECT_EQ(With(attempt, kFenceCgroup | fence), "BLOCKED");
  }

  static Program Try(const std::string& body) {
    return Script(
        "import ctypes, os, socket\nlibc = ctypes.CDLL(None)\ntry:\n" + body +
        "\nexcept (OSError, MemoryError):\n    ok = False\n"
        "print('ESCAPED' if ok else 'BLOCKED')\n");
  }
};

// The launcher's own namespace, in which a run without this fence is, has
// nothing in it either; so an abstract socket stands for the machine.
TEST_F(FencesTest, NetworkNamespacesKeepRunsApart) {
  Program meet =
      Try("    s = socket.socket(socket.AF_UNIX)\n"
          "    s.bind('\\0rs_meeting')\n    s.listen()\n"
          "    import time\n    time.sleep(1.5)\n    ok = True");
  Program visit =
      Try("    import time\n    s = socket.socket(socket.AF_UNIX)\n"
          "    ok = False\n"
          "    for _ in range(40):\n"
          "        if s.connect_ex('\\0rs_meeting') == 0:\n"
          "            ok = True\n            break\n"
          "        time.sleep(0.02)");
  for (const bool fenced : {false, true}) {
    meet.fences =
        fenced ? kFenceCgroup | kFenceNetwork : uint32_t{kFenceCgroup};
    visit.fences = meet.fences;
    auto running = sandbox_->Launch({&meet, &visit}, SmallLimits());
    ASSERT_TRUE(running.ok());
    EXPECT_EQ((*running)[1]->Finish().out, fenced ? "BLOCKED\n" : "ESCAPED\n");
  }
}

TEST_F(FencesTest, SeccompStopsSystemCalls) {
  ExpectStops(kFenceSeccomp, Try("    ok = libc.unshare(0x10000000) == 0"));
  ExpectStops(kFenceSeccomp, Try("    ok = libc.syscall(248, b'user', b'k', "
                                 "b'v', 1, -2) >= 0"));
  ExpectStops(kFenceSeccomp,
              Try("    socket.socket(socket.AF_INET)\n    ok = True"));
}

TEST_F(FencesTest, SeccompSeesForeignArchitectures) {
  const Compiled compiled = Compiler(sandbox_).Compile(
      {"cpp",
       "#include <cstdio>\nint main() { int r; asm volatile(\"int $0x80\" : "
       "\"=a\"(r) : \"a\"(20) : \"memory\"); puts(r > 0 ? \"ESCAPED\" : "
       "\"BLOCKED\"); }",
       ""},
      CompileLimits());
  ASSERT_EQ(compiled.outcome.verdict, RunVerdict::kAC);
  EXPECT_EQ(With(compiled.program, kFenceCgroup), "ESCAPED");
  EXPECT_EQ(With(compiled.program, kFenceCgroup | kFenceSeccomp), "BLOCKED");
}

TEST_F(FencesTest, LandlockStopsPathsThatMountsLeaveOpen) {
  ExpectStops(kFenceLandlock,
              Try("    ok = 'zygote.py' in os.listdir('/.cohort')"));
}

TEST_F(FencesTest, TheUidStopsWhatRootMay) {
  ExpectStops(kFenceUser, Try("    os.setuid(0)\n    ok = os.getuid() == 0"));
  ExpectStops(kFenceUser, Try("    ok = libc.mount(b'x', b'/tmp', b'tmpfs', 0, "
                              "None) == 0"));
  ExpectStops(kFenceUser, Try("    ok = libc.sethostname(b'x', 1) == 0"));
}

TEST_F(FencesTest, RlimitsStopWhatCountersDoNotSee) {
  ExpectStops(kFenceRlimits,
              Try("    kept = [os.open('/dev/null', 0) for _ in range(900)]\n"
                  "    ok = True"));
}

TEST_F(FencesTest, CgroupsBoundMemoryAndProcesses) {
  // Alone: rlimits do not see what many processes take together.
  const Outcome memory = Run(
      Script("import os\nfor _ in range(6):\n    if os.fork() == 0:\n"
             "        x = bytearray(b'x' * (80 << 20))\n        import time\n"
             "        time.sleep(3)\n        os._exit(0)\n"
             "for _ in range(6):\n    os.wait()\n",
             kFenceCgroup));
  EXPECT_EQ(memory.verdict, RunVerdict::kMLE) << memory.reason;
  EXPECT_GE(memory.oom_kills, 1);
  const Outcome processes = Run(
      Script("import os, time\nn = 0\ntry:\n    for n in range(300):\n"
             "        if os.fork() == 0:\n            time.sleep(5)\n"
             "            os._exit(0)\nexcept OSError:\n    print('BLOCKED')\n",
             kFenceCgroup));
  EXPECT_EQ(processes.out, "BLOCKED\n");
}

TEST_F(FencesTest, IpcAndHostNameAreTheRunsOwn) {
  const Outcome host = Run(Script("import os\nprint(os.uname().nodename)\n",
                                  kFenceCgroup | kFenceUts));
  EXPECT_EQ(host.out, "box\n");
  // A queue that one run leaves is not there for the next.
  const Program leave = Script(
      "import ctypes\nlibc = ctypes.CDLL(None)\n"
      "print('new' if libc.msgget(77, 0o1600 | 0o2000) >= 0 else 'old')\n",
      kFenceCgroup | kFenceIpc);
  EXPECT_EQ(Run(leave).out, "new\n");
  EXPECT_EQ(Run(leave).out, "new\n");
}

// What no run may see, with everything else off.
TEST_F(FencesTest, MountAndPidNamespacesAreNeverOff) {
  const Outcome outcome = Run(
      Script("import os\nprint(sorted(os.listdir('/')), os.getpid() < 10)\n",
             kFenceCgroup));
  EXPECT_THAT(outcome.out, HasSubstr("True"));
  EXPECT_THAT(outcome.out, ::testing::Not(HasSubstr("home")));
  EXPECT_THAT(outcome.out, ::testing::Not(HasSubstr("'sys'")));
}

}  // namespace
}  // namespace cohort
