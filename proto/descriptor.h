// A file descriptor with an owner.
#pragma once

#include <unistd.h>

#include <utility>

namespace cohort {

// Closes it when it goes. Negative: none.
class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  ~Descriptor() { Close(); }
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    if (this != &other) {
      Close();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }

  int get() const { return fd_; }

  // Gives it up without closing it.
  int Release() { return std::exchange(fd_, -1); }

  // Returns false, with errno set, when the kernel reports a late error.
  bool Close() { return fd_ < 0 || close(std::exchange(fd_, -1)) == 0; }

 private:
  int fd_;
};

}  // namespace cohort
