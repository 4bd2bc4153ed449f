// Scalars in TensorBoard's event files.
//
// Source: TFRecord framing (length, masked CRC-32C, data, masked CRC-32C) as in
// tensorflow/core/lib/io/record_writer.cc; messages in tensorboard.proto.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace cohort {

// CRC-32C (Castagnoli), as in RFC 3720, appendix B.4.
uint32_t Crc32c(std::string_view data);

// Single-threaded.
class TensorBoardEvents {
 public:
  // Begins a new file in `dir`, which is made. Tells TensorBoard to forget what
  // earlier files hold from `first_step` on.
  static absl::StatusOr<std::unique_ptr<TensorBoardEvents>> Open(
      const std::string& dir, int64_t first_step, absl::Time now);

  ~TensorBoardEvents();
  TensorBoardEvents(const TensorBoardEvents&) = delete;
  TensorBoardEvents& operator=(const TensorBoardEvents&) = delete;

  absl::Status Write(int64_t step, absl::Time now,
                     const std::vector<std::pair<std::string, double>>& values);

 private:
  TensorBoardEvents(int fd, std::string path);
  absl::Status WriteRecord(const std::string& data);

  const int fd_;
  const std::string path_;
};

}  // namespace cohort
