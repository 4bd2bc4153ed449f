// What the callers of the reward service share.
#pragma once

#include <functional>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "proto/rewards.grpc.pb.h"
#include "proto/rpc.h"
#include "proto/types.pb.h"

namespace cohort {

// Asks the server whether it could grade every prompt.
//   kInvalidArgument  the first problem, "prompt <id>: ...", and how many more
//   others            as CallWithRetry
absl::Status CheckPrompts(Rewards::StubInterface* rewards,
                          absl::Span<const Prompt* const> prompts,
                          const RetryPolicy& retry);

// The completions of a group, as the server wants them.
GradeRequest MakeGradeRequest(const Group& group);

// Moves the grades into the group.
//   kInternal  there are not as many as completions
absl::Status TakeGrades(GradeResponse response, Group* group);

// Gives every completion a verdict that is no grade, with the reason, and logs
// it.
void RefuseToGrade(Verdict verdict, const absl::Status& status, Group* group);

}  // namespace cohort
