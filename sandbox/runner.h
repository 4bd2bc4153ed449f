// Runs untrusted programs, several at a time.
//
//   absl::StatusOr<std::unique_ptr<Sandbox>> sandbox = Sandbox::Start(options);
//   Outcome outcome = (*sandbox)->RunProgram(program, limits);
//
// A sandbox owns one launcher process (launcher.h), which dies with it.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "proto/descriptor.h"
#include "sandbox/language.h"
#include "sandbox/limits.h"
#include "sandbox/outcome.h"
#include "sandbox/run_spec.h"
#include "sandbox/running_program.h"

namespace cohort {

struct SandboxOptions {
  LanguageTable languages;
  int slots = 4;         // Runs at a time; more wait for their turn.
  std::string launcher;  // Path of cohort-launcher; empty: beside this program.
};

// Bytes that only the kernel holds; they cannot be changed any more.
using SharedBytes = std::shared_ptr<const Descriptor>;  // Runs share them.
absl::StatusOr<SharedBytes> ShareBytes(std::string_view bytes);

// What to run, all of it ready.
struct Program {
  const Language* language = nullptr;  // Of the sandbox's table.
  // Its command line; empty: `executable` with its own name.
  std::vector<std::string> argv;
  SharedBytes executable;  // Null: argv[0] is executed.
  std::vector<std::pair<std::string, SharedBytes>> files;  // In /box.
  std::string input;
  bool zygote = false;   // argv goes to the language's zygote.
  bool channel = false;  // Descriptor 3 is a socket that speaks frames.
  uint32_t fences = kAllFences;
};

// A line of the capability report.
struct Capability {
  std::string name;
  bool there = false;
  std::string detail;
};

// Counted since the start.
struct SandboxFigures {
  int64_t runs = 0;
  std::map<std::string, int64_t> verdicts;  // By code, of single runs.
  int64_t wall_us = 0;                      // Sum over runs, waiting excluded.
  int64_t wait_us = 0;  // Sum of what they waited for slots.
  int slots = 0;
  int slots_busy = 0;
  int leaks = 0;  // Cgroups of runs that could not be removed so far.
};

// Thread-safe.
class Sandbox {
 public:
  // Starts the launcher and learns what the machine allows.
  //   kUnavailable  no run can be made at all; says why
  static absl::StatusOr<std::unique_ptr<Sandbox>> Start(SandboxOptions options);
  ~Sandbox();

  const LanguageTable& languages() const { return options_.languages; }
  const std::vector<Capability>& capabilities() const { return capabilities_; }

  // What is missing of the fences that keep a hostile program in: "cgroups
  // (...)". Empty: nothing.
  std::string Weakness() const;

  // Runs to the end. Bad limits are an IE.
  Outcome RunProgram(const Program& program, const Limits& limits);

  // Starts `programs` together, which may then talk to each other through the
  // caller; waits until all of them have a slot. They must go before the
  // sandbox. The id of a run is its number.
  absl::StatusOr<std::vector<std::unique_ptr<RunningProgram>>> Launch(
      const std::vector<const Program*>& programs, const Limits& limits);

  // Puts a file into the folder that every run sees, /.cohort/shared.
  absl::Status ShareFile(const std::string& name, const SharedBytes& bytes)
      ABSL_LOCKS_EXCLUDED(request_mu_);

  SandboxFigures Figures() const ABSL_LOCKS_EXCLUDED(mu_);
  void Count(const Outcome& outcome) ABSL_LOCKS_EXCLUDED(mu_);

  // Whether the launcher lives.
  bool Alive() const;

 private:
  explicit Sandbox(SandboxOptions options) : options_(std::move(options)) {}
  absl::Status StartLauncher();
  absl::Status TakeReport();
  RunSpec SpecOf(const Program& program, const Limits& limits);
  absl::StatusOr<std::unique_ptr<RunningProgram>> LaunchOne(
      const Program& program, const Limits& limits);
  void TakeSlots(int count) ABSL_LOCKS_EXCLUDED(mu_);
  void GiveSlot() ABSL_LOCKS_EXCLUDED(mu_);

  const SandboxOptions options_;
  std::vector<Capability> capabilities_;
  std::vector<std::string> zygotes_;  // Interpreters, in the launcher's order.
  Descriptor socket_;
  pid_t launcher_ = -1;
  std::atomic<uint64_t> next_id_ = 1;
  absl::Mutex request_mu_;  // Requests that are answered on socket_ itself.
  mutable absl::Mutex mu_;
  int free_slots_ ABSL_GUARDED_BY(mu_) = 0;
  SandboxFigures figures_ ABSL_GUARDED_BY(mu_);
};

}  // namespace cohort
