// The judge, and the sandbox below it, that all graders of code share. Neither
// exists before a prompt needs it.
#pragma once

#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "rewards/judge.h"

namespace cohort {

struct JudgeOptions {
  int slots = 4;              // Runs at a time.
  bool allow_weak = false;    // Run also where a fence is missing.
  std::string launcher = "";  // See SandboxOptions.
};

// Thread-safe.
class JudgeHost {
 public:
  explicit JudgeHost(JudgeOptions options) : options_(options) {}

  // A judge that works; kept by those who use it.
  //   kUnavailable         no sandbox can be started here
  //   kFailedPrecondition  it is weak here, and that is not allowed
  absl::StatusOr<std::shared_ptr<Judge>> Get() ABSL_LOCKS_EXCLUDED(mu_);

  // Of the sandbox that runs now; all zero before one does.
  SandboxFigures Figures() const ABSL_LOCKS_EXCLUDED(mu_);

  // Whether it runs though fences are missing.
  bool Weak() const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  struct Running;  // A sandbox and its judge, which end together.

  const JudgeOptions options_;
  mutable absl::Mutex mu_;
  // Shared with the grades under way, when a new one takes its place.
  std::shared_ptr<Running> running_ ABSL_GUARDED_BY(mu_);
};

}  // namespace cohort
