// Which completions give the same answer, for majority votes (maj@k).
#pragma once

#include <functional>

#include "absl/status/status.h"
#include "proto/rewards.pb.h"

namespace cohort {

// Grades `request`'s completions into `response`, one grade each.
using GradeCall = std::function<absl::Status(const GradeRequest& request,
                                             GradeResponse* response)>;

// Fills in `response` (proto/rewards.proto) by asking the prompt's own grader:
// a completion belongs to a class when it is correct with the class's first
// answer as the right one. A first answer that the grader refuses as one holds
// only answers of the same letters. Errors are those of `grade`.
absl::Status GroupByAnswer(const GroupEqualRequest& request,
                           const GradeCall& grade,
                           GroupEqualResponse* response);

}  // namespace cohort
