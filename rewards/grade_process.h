// The server's end of one grading worker.
#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "proto/descriptor.h"
#include "proto/rewards.pb.h"

namespace cohort {

// The worker ends when this object goes, or when the server does: its socket
// is then closed.
class GradeProcess {
 public:
  // Any code: why it cannot be started.
  static absl::StatusOr<std::unique_ptr<GradeProcess>> Start(
      const std::vector<std::string>& command);
  ~GradeProcess();

  // Grades the completions from number response->grades_size() on and appends
  // each grade. After an error of these the worker may be of no more use:
  //   kUnavailable       it died
  //   kDeadlineExceeded  `deadline` passed
  //   kCancelled         `gone`, asked after each grade, said that nobody waits
  // Others are its answer; see GraderFor.
  absl::Status Grade(const GradeRequest& request, absl::Time deadline,
                     GradeResponse* response,
                     const std::function<bool()>& gone = nullptr);

  bool usable() const { return usable_; }

 private:
  GradeProcess(pid_t pid, Descriptor socket);
  absl::Status Exchange(const GradeRequest& request, absl::Time deadline,
                        GradeResponse* response,
                        const std::function<bool()>& gone);
  bool EndsSoon();

  const pid_t pid_;
  Descriptor socket_;
  bool usable_ = true;
  bool asked_ = false;  // A whole request went out and is not all answered.
};

}  // namespace cohort
