// EXPECT_THAT(x, IsOk()), IsOkAndHolds(matcher), StatusIs(code, message
// matcher): named as Abseil's, to be dropped once Debian ships its own.
#pragma once

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gmock/gmock.h"
#include "proto/status.h"

namespace cohort {

MATCHER(IsOk, negation ? "is an error" : "is OK") {
  const absl::Status status = ToStatus(arg);
  *result_listener << status.ToString();
  return status.ok();
}

MATCHER_P(IsOkAndHolds, inner, "is OK and holds a value") {
  if (!arg.ok()) {
    *result_listener << arg.status().ToString();
    return false;
  }
  return testing::ExplainMatchResult(inner, *arg, result_listener);
}

MATCHER_P2(StatusIs, code, message, "has the status") {
  const absl::Status status = ToStatus(arg);
  *result_listener << status.ToString();
  return status.code() == code &&
         testing::ExplainMatchResult(message, std::string(status.message()),
                                     result_listener);
}

}  // namespace cohort

#define COHORT_ASSERT_OK(expression) ASSERT_THAT((expression), ::cohort::IsOk())
#define COHORT_EXPECT_OK(expression) EXPECT_THAT((expression), ::cohort::IsOk())
