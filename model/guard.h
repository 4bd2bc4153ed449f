// LibTorch's exceptions -> Status.
#pragma once

#include <c10/util/Exception.h>

#include <type_traits>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace cohort {

// Runs `compute` and turns what LibTorch throws into a Status. Used where a
// folder's public function meets tensors; nothing else catches c10::Error.
//   c10::OutOfMemoryError -> kResourceExhausted (shrink the batch, try again)
//   c10::DistError        -> kUnavailable       (a peer died; rejoin the group)
//   any other c10::Error  -> kInternal          (a bug; stop and report)
// Returns StatusOr of what `compute` returns; Status when that is void or a
// Status itself.
template <typename Compute>
auto GuardTorch(Compute compute) {
  using Value = std::invoke_result_t<Compute>;
  using Result = std::conditional_t<std::is_void_v<Value> ||
                                        std::is_same_v<Value, absl::Status>,
                                    absl::Status, absl::StatusOr<Value>>;
  try {
    if constexpr (std::is_void_v<Value>) {
      compute();
      return Result(absl::OkStatus());
    } else {
      return Result(compute());
    }
  } catch (const c10::OutOfMemoryError& error) {
    return Result(absl::ResourceExhaustedError(error.what_without_backtrace()));
  } catch (const c10::DistError& error) {
    return Result(absl::UnavailableError(error.what_without_backtrace()));
  } catch (const c10::Error& error) {
    return Result(absl::InternalError(error.what_without_backtrace()));
  }
}

}  // namespace cohort
