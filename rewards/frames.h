// Length-prefixed messages over a socket, between the reward server and its
// grading workers: 4 bytes little endian, then that many bytes.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace cohort {

// Blocks until all is written or `deadline`.
//   kUnavailable       the other end is gone
//   kDeadlineExceeded  `deadline` passed first
absl::Status WriteFrame(int socket, std::string_view content,
                        absl::Time deadline);

// The same codes; kDataLoss for a length above `max_bytes`.
absl::StatusOr<std::string> ReadFrame(int socket, size_t max_bytes,
                                      absl::Time deadline);

}  // namespace cohort
