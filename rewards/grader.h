// One completion -> one grade.
#pragma once

#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "proto/types.pb.h"

namespace cohort {

// Thread-safe. A wrong, endless or malformed completion is a grade, never an
// error.
class Grader {
 public:
  virtual ~Grader() = default;

  // Whether `prompt` has what this grader needs. kInvalidArgument, without the
  // prompt's id, which the caller knows.
  virtual absl::Status CheckPrompt(const Prompt& prompt) const = 0;

  // Judges `completion` (decoded text, the end token left out). Sets verdict,
  // score, extracted and reason; the format score is the service's business.
  //   kDeadlineExceeded  `deadline` passed
  virtual absl::StatusOr<Grade> GradeOne(const Prompt& prompt,
                                         std::string_view completion,
                                         absl::Time deadline) const = 0;
};

}  // namespace cohort
