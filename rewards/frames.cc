#include "rewards/frames.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdint>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "proto/status.h"

namespace cohort {
namespace {

absl::Status Gone() { return absl::UnavailableError("the other end is gone"); }

// Waits until `events` can be done without blocking.
absl::Status Await(int socket, short events, absl::Time deadline) {
  while (true) {
    int wait_ms = -1;
    if (deadline != absl::InfiniteFuture()) {
      const int64_t left = absl::ToInt64Milliseconds(
          absl::Ceil(deadline - absl::Now(), absl::Milliseconds(1)));
      if (left <= 0) return absl::DeadlineExceededError("deadline passed");
      wait_ms = static_cast<int>(
          std::min<int64_t>(left, std::numeric_limits<int>::max()));
    }
    pollfd waited = {.fd = socket, .events = events, .revents = 0};
    const int ready = poll(&waited, 1, wait_ms);
    if (ready > 0) return absl::OkStatus();
    if (ready < 0 && errno != EINTR) return Gone();
  }
}

absl::Status ReadAll(int socket, char* data, size_t size, absl::Time deadline) {
  while (size > 0) {
    const ssize_t count = recv(socket, data, size, MSG_DONTWAIT);
    if (count > 0) {
      data += count;
      size -= static_cast<size_t>(count);
    } else if (count < 0 && (errno == EAGAIN || errno == EINTR)) {
      COHORT_RETURN_IF_ERROR(Await(socket, POLLIN, deadline));
    } else {
      return Gone();
    }
  }
  return absl::OkStatus();
}

absl::Status WriteAll(int socket, std::string_view content,
                      absl::Time deadline) {
  while (!content.empty()) {
    const ssize_t count = send(socket, content.data(), content.size(),
                               MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count > 0) {
      content.remove_prefix(static_cast<size_t>(count));
    } else if (count < 0 && (errno == EAGAIN || errno == EINTR)) {
      COHORT_RETURN_IF_ERROR(Await(socket, POLLOUT, deadline));
    } else {
      return Gone();
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status WriteFrame(int socket, std::string_view content,
                        absl::Time deadline) {
  std::string frame(4, '\0');
  frame.reserve(4 + content.size());
  const auto size = static_cast<uint32_t>(content.size());
  for (int i = 0; i < 4; ++i) frame[i] = static_cast<char>(size >> (8 * i));
  frame += content;
  return WriteAll(socket, frame, deadline);
}

absl::StatusOr<std::string> ReadFrame(int socket, size_t max_bytes,
                                      absl::Time deadline) {
  unsigned char prefix[4] = {};
  COHORT_RETURN_IF_ERROR(
      ReadAll(socket, reinterpret_cast<char*>(prefix), 4, deadline));
  size_t size = 0;
  for (int i = 3; i >= 0; --i) size = size << 8 | prefix[i];
  if (size > max_bytes) {
    return absl::DataLossError(
        absl::StrCat("a message of ", size, " bytes, at most ", max_bytes));
  }
  std::string content(size, '\0');
  COHORT_RETURN_IF_ERROR(ReadAll(socket, content.data(), size, deadline));
  return content;
}

}  // namespace cohort
