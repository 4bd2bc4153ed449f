// One write to a file, whole or an error.
#pragma once

#include <unistd.h>

#include <cerrno>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace cohort {

// Writes `data` to `fd` at once; `path` is for the error. What a full disk cut
// short is an error, and the reader's to leave out.
inline absl::Status WriteWhole(int fd, std::string_view data,
                               const std::string& path) {
  ssize_t written = 0;
  do {
    written = write(fd, data.data(), data.size());
  } while (written < 0 && errno == EINTR);
  if (written < 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat(path, ": cannot write"));
  }
  if (static_cast<size_t>(written) != data.size()) {
    return absl::ResourceExhaustedError(
        absl::StrCat(path, ": only ", written, " of ", data.size(),
                     " bytes could be written"));
  }
  return absl::OkStatus();
}

}  // namespace cohort
