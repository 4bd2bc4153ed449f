// Tells ThreadSanitizer about locks in libraries that are not instrumented:
// Debian's Abseil, and the join of a std::thread. Without this every access
// under an absl::Mutex is reported as a race. The linker sends the calls of our
// own code here (--wrap, see tests/CMakeLists.txt). Linked only where
// COHORT_SANITIZE is "thread".
#include <pthread.h>
#include <sanitizer/tsan_interface.h>

#include <new>
#include <thread>

#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"

extern "C" void AnnotateIgnoreReadsBegin(const char* file, int line);
extern "C" void AnnotateIgnoreReadsEnd(const char* file, int line);

namespace {

// Around a call that gives `mu` back. Abseil evaluates the conditions of other,
// waiting threads in it, under the lock, which TSan believes is free by then.
class Releasing {
 public:
  Releasing(absl::Mutex* mu, unsigned flags) : mu_(mu), flags_(flags) {
    __tsan_mutex_pre_unlock(mu_, flags_);
    AnnotateIgnoreReadsBegin(__FILE__, __LINE__);
  }
  ~Releasing() {
    AnnotateIgnoreReadsEnd(__FILE__, __LINE__);
    __tsan_mutex_post_unlock(mu_, flags_);
  }

 private:
  absl::Mutex* const mu_;
  const unsigned flags_;
};

// Around a call that takes `mu`.
class Acquiring {
 public:
  Acquiring(absl::Mutex* mu, unsigned flags) : mu_(mu), flags_(flags) {
    __tsan_mutex_pre_lock(mu_, flags_);
  }
  ~Acquiring() { __tsan_mutex_post_lock(mu_, flags_, 0); }

 private:
  absl::Mutex* const mu_;
  const unsigned flags_;
};

// Around a wait with `mu` held, which gives it back and takes it again.
class Waiting {
 public:
  explicit Waiting(absl::Mutex* mu) : mu_(mu) {
    __tsan_mutex_pre_unlock(mu_, 0);
    __tsan_mutex_post_unlock(mu_, 0);
    __tsan_mutex_pre_lock(mu_, 0);
    AnnotateIgnoreReadsBegin(__FILE__, __LINE__);
  }
  ~Waiting() {
    AnnotateIgnoreReadsEnd(__FILE__, __LINE__);
    __tsan_mutex_post_lock(mu_, 0, 0);
  }

 private:
  absl::Mutex* const mu_;
};

}  // namespace

// The wrapped function, by its symbol in Abseil 20220623 of Debian 12.
#define WRAP(result, symbol, ...)                 \
  extern "C" result __real_##symbol(__VA_ARGS__); \
  extern "C" result __wrap_##symbol(__VA_ARGS__)

WRAP(void, _ZN4absl7debian35Mutex4LockEv, absl::Mutex* mu) {
  const Acquiring acquiring(mu, 0);
  __real__ZN4absl7debian35Mutex4LockEv(mu);
}

WRAP(void, _ZN4absl7debian35Mutex6UnlockEv, absl::Mutex* mu) {
  const Releasing releasing(mu, 0);
  __real__ZN4absl7debian35Mutex6UnlockEv(mu);
}

WRAP(void, _ZN4absl7debian35Mutex10ReaderLockEv, absl::Mutex* mu) {
  const Acquiring acquiring(mu, __tsan_mutex_read_lock);
  __real__ZN4absl7debian35Mutex10ReaderLockEv(mu);
}

WRAP(void, _ZN4absl7debian35Mutex12ReaderUnlockEv, absl::Mutex* mu) {
  const Releasing releasing(mu, __tsan_mutex_read_lock);
  __real__ZN4absl7debian35Mutex12ReaderUnlockEv(mu);
}

WRAP(void, _ZN4absl7debian35Mutex5AwaitERKNS0_9ConditionE, absl::Mutex* mu,
     const absl::Condition& condition) {
  const Waiting waiting(mu);
  __real__ZN4absl7debian35Mutex5AwaitERKNS0_9ConditionE(mu, condition);
}

WRAP(bool,
     _ZN4absl7debian35Mutex16AwaitWithTimeoutERKNS0_9ConditionENS0_8DurationE,
     absl::Mutex* mu, const absl::Condition& condition,
     absl::Duration timeout) {
  const Waiting waiting(mu);
  return __real__ZN4absl7debian35Mutex16AwaitWithTimeoutERKNS0_9ConditionENS0_8DurationE(  // NOLINT
      mu, condition, timeout);
}

WRAP(bool,
     _ZN4absl7debian35Mutex17AwaitWithDeadlineERKNS0_9ConditionENS0_4TimeE,
     absl::Mutex* mu, const absl::Condition& condition, absl::Time deadline) {
  const Waiting waiting(mu);
  return __real__ZN4absl7debian35Mutex17AwaitWithDeadlineERKNS0_9ConditionENS0_4TimeE(  // NOLINT
      mu, condition, deadline);
}

WRAP(bool, _ZN4absl7debian37CondVar15WaitWithTimeoutEPNS0_5MutexENS0_8DurationE,
     absl::CondVar* changed, absl::Mutex* mu, absl::Duration timeout) {
  const Waiting waiting(mu);
  return __real__ZN4absl7debian37CondVar15WaitWithTimeoutEPNS0_5MutexENS0_8DurationE(  // NOLINT
      changed, mu, timeout);
}

WRAP(bool, _ZN4absl7debian37CondVar16WaitWithDeadlineEPNS0_5MutexENS0_4TimeE,
     absl::CondVar* changed, absl::Mutex* mu, absl::Time deadline) {
  const Waiting waiting(mu);
  return __real__ZN4absl7debian37CondVar16WaitWithDeadlineEPNS0_5MutexENS0_4TimeE(  // NOLINT
      changed, mu, deadline);
}

WRAP(void, _ZN4absl7debian312Notification6NotifyEv,
     absl::Notification* notification) {
  __tsan_release(notification);
  __real__ZN4absl7debian312Notification6NotifyEv(notification);
}

WRAP(void, _ZNK4absl7debian312Notification19WaitForNotificationEv,
     absl::Notification* notification) {
  __real__ZNK4absl7debian312Notification19WaitForNotificationEv(notification);
  __tsan_acquire(notification);
}

WRAP(
    bool,
    _ZNK4absl7debian312Notification30WaitForNotificationWithTimeoutENS0_8DurationE,
    absl::Notification* notification, absl::Duration timeout) {
  const bool notified =
      __real__ZNK4absl7debian312Notification30WaitForNotificationWithTimeoutENS0_8DurationE(  // NOLINT
          notification, timeout);
  if (notified) __tsan_acquire(notification);
  return notified;
}

// libstdc++'s own, but with a pthread_join that TSan sees.
WRAP(void, _ZNSt6thread4joinEv, std::thread* thread) {
  if (!thread->joinable()) {
    __real__ZNSt6thread4joinEv(thread);  // Reports the error.
    return;
  }
  pthread_join(thread->native_handle(), nullptr);
  new (thread) std::thread();
}
