// A sandbox for tests; where this machine cannot have a whole one they skip.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "rewards/judge.h"
#include "rewards/language_table.h"
#include "sandbox/compiler.h"
#include "sandbox/runner.h"

namespace cohort {

class SandboxTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    absl::StatusOr<std::unique_ptr<Sandbox>> started =
        Sandbox::Start({.languages = BuiltInLanguages(),
                        .slots = 4,
                        .launcher = COHORT_LAUNCHER});
    if (started.ok()) {
      sandbox_ = started->release();
    } else {
      why_none_ = started.status().ToString();
    }
  }
  static void TearDownTestSuite() { delete std::exchange(sandbox_, nullptr); }

  void SetUp() override {
    if (sandbox_ == nullptr) GTEST_SKIP() << why_none_;
    const std::string weakness = sandbox_->Weakness();
    // What is there and does not hold is a flaw, not a machine that lacks it.
    ASSERT_EQ(weakness.find("self-test"), std::string::npos) << weakness;
    if (!weakness.empty()) {
      GTEST_SKIP() << "the sandbox is weak here: " << weakness;
    }
  }

  static Program Script(const std::string& code, uint32_t fences = kAllFences) {
    Program program;
    program.language = sandbox_->languages().Find("python");
    program.files = {{"main.py", *ShareBytes(code)}};
    program.argv = {"script", "main.py"};
    program.zygote = true;
    program.fences = fences;
    return program;
  }

  static Program Shell(const std::string& line, uint32_t fences = kAllFences) {
    Program program;
    program.language = sandbox_->languages().Find("bash");
    program.argv = {"/bin/sh", "-c", line};
    program.fences = fences;
    return program;
  }

  static Limits SmallLimits() {
    Limits limits;
    limits.cpu = absl::Seconds(2);
    limits.wall = absl::Seconds(20);
    limits.wall_most = limits.wall;
    limits.memory_bytes = int64_t{256} << 20;
    return limits;
  }

  static Outcome Run(const Program& program) {
    return sandbox_->RunProgram(program, SmallLimits());
  }

  static Sandbox* sandbox_;
  static std::string why_none_;
};

inline Sandbox* SandboxTest::sandbox_ = nullptr;
inline std::string SandboxTest::why_none_;

}  // namespace cohort
