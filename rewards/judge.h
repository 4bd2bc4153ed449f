// A submission against its tests, in the sandbox.
//
// What is expected never enters the sandbox: outputs and returned values come
// out and are compared here. Tests that are code run in a jail of their own and
// reach the submission, in another, only through calls.
#pragma once

#include <string>
#include <vector>

#include "rewards/output_check.h"
#include "rewards/py_value.h"
#include "sandbox/compiler.h"
#include "sandbox/runner.h"

namespace cohort {

struct StdioCase {
  std::string input;
  std::string expected;
};

struct FunctionCase {
  std::vector<PyValue> args;
  PyValue expected;
};

// Exactly one of the three kinds of tests.
struct TestSet {
  std::vector<StdioCase> stdio;  // One run each.
  // All cases call one loaded submission, Python alone.
  std::string entry_point;
  std::vector<FunctionCase> functions;
  // Code with assertions, Python alone. `setup` comes before it and is trusted;
  // `check(candidate)`, where it defines one, is called with the entry point.
  // One score for all of `assertions`, each a text of its own.
  std::string setup;
  std::vector<std::string> assertions;

  Checker checker;
  Limits limits;  // Of one run.
  CompileLimits compile_limits;
  bool partial = false;  // Score the share of cases that are right.
};

struct Judgement {
  // Of the case that decided: the first that failed, or the one with the
  // strongest verdict where all were run.
  Outcome outcome;
  int passed = 0;
  int total = 0;
  absl::Duration cpu;  // Of all cases.
  // What looked like an attempt on the grader: "forbidden system call", "ended
  // before it answered", ... For telemetry; no part of the score.
  std::vector<std::string> suspicions;
};

// Thread-safe.
class Judge {
 public:
  // `sandbox` must outlive it.
  explicit Judge(Sandbox* sandbox) : sandbox_(*sandbox), compiler_(sandbox) {}

  Judgement JudgeSubmission(const Source& source, const TestSet& tests);

  // Compiles and runs a program without tests.
  Outcome RunSource(const Source& source, std::string input,
                    const Limits& limits);

  Sandbox& sandbox() const { return sandbox_; }
  const Compiler& compiler() const { return compiler_; }

 private:
  Judgement RunStdio(Program program, const TestSet& tests);
  Judgement RunFunctions(const Program& program, const TestSet& tests);
  Outcome CallFunctions(RunningProgram* running, const TestSet& tests,
                        Judgement* judgement);
  Judgement RunAssertions(const Program& program, const TestSet& tests);
  Outcome RunOneAssertion(const Program& program, const TestSet& tests,
                          const std::string& assertion);
  std::string CheckOutput(const StdioCase& test, const std::string& output,
                          const Checker& checker, Outcome* outcome);

  Sandbox& sandbox_;
  Compiler compiler_;
};

}  // namespace cohort
