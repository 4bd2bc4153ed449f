// Messages with descriptors over a SOCK_SEQPACKET socket: each arrives whole.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proto/descriptor.h"

namespace cohort {

inline constexpr size_t kMaxMessageFds = 32;

struct FdMessage {
  std::string bytes;
  std::vector<Descriptor> fds;
};

// False, with errno set, when the peer is gone or the message is too large.
bool SendFdMessage(int socket, std::string_view bytes,
                   const std::vector<int>& fds);

// The next message. Nothing at the end of the stream, or, with errno EAGAIN,
// where none has come on a non-blocking socket.
std::optional<FdMessage> ReceiveFdMessage(int socket);

}  // namespace cohort
