// A second grader looks at a sample of the grades; where the two disagree is
// written down for people to look at.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "proto/descriptor.h"
#include "proto/types.pb.h"

namespace cohort {

// Thread-safe. Looks at grades of verifier "math" only.
class Auditor {
 public:
  // `share` of the completions, in [0, 1], chosen by what they say; the same
  // are chosen every time. Disagreements are appended to `path` (JSONL, at most
  // 64 MiB; empty: not kept).
  //   any code  `path` cannot be written
  static absl::StatusOr<std::unique_ptr<Auditor>> Create(
      double share, const std::string& path);

  // Whether both graders agree; empty where this one was not chosen or the
  // second grader cannot tell.
  std::optional<bool> Audit(const Prompt& prompt, std::string_view completion,
                            const Grade& grade);

 private:
  Auditor(double share, Descriptor file, int64_t written);
  void Keep(const Prompt& prompt, std::string_view completion,
            const Grade& grade, bool judged);

  const double share_;
  absl::Mutex mu_;
  Descriptor file_ ABSL_GUARDED_BY(mu_);
  int64_t written_ ABSL_GUARDED_BY(mu_);
};

}  // namespace cohort
