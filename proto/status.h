// Return early on an error. The names are Abseil's with our prefix, to become
// aliases of its own macros once it ships them.
#pragma once

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace cohort {

inline absl::Status ToStatus(absl::Status status) { return status; }
template <typename T>
absl::Status ToStatus(const absl::StatusOr<T>& result) {
  return result.status();
}

}  // namespace cohort

// Evaluates a Status or a StatusOr<T>; returns its status if it is an error.
#define COHORT_RETURN_IF_ERROR(expression)                              \
  do {                                                                  \
    if (absl::Status cohort_status_ = ::cohort::ToStatus((expression)); \
        !cohort_status_.ok()) {                                         \
      return cohort_status_;                                            \
    }                                                                   \
  } while (false)

#define COHORT_STATUS_CONCAT_INNER(a, b) a##b
#define COHORT_STATUS_CONCAT(a, b) COHORT_STATUS_CONCAT_INNER(a, b)

// COHORT_ASSIGN_OR_RETURN(lhs, StatusOr expression): assigns the value, or
// returns the error. A comma in `lhs` needs parentheses of its own.
#define COHORT_ASSIGN_OR_RETURN(lhs, expression) \
  COHORT_ASSIGN_OR_RETURN_INNER(                 \
      COHORT_STATUS_CONCAT(cohort_result_, __LINE__), lhs, expression)
#define COHORT_ASSIGN_OR_RETURN_INNER(result, lhs, expression) \
  auto result = (expression);                                  \
  if (!result.ok()) return result.status();                    \
  lhs = *std::move(result)
