#include "rewards/grade_process.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <string_view>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "proto/rpc.h"
#include "proto/status.h"
#include "rewards/frames.h"
#include "rewards/grade_worker.h"

namespace cohort {
namespace {

constexpr absl::Duration kPatience = absl::Milliseconds(200);
// So few are graded to their end though nobody waits for them.
constexpr int kFewCompletions = 64;

// Of our descriptors the worker has its socket, as 0, and standard error, as 1
// and 2; of our signal mask nothing. Its process group is its own, since Ctrl-C
// is for the server. Returns an errno.
int Spawn(const std::vector<std::string>& command, int socket, pid_t* pid) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  const absl::Cleanup destroy = [&] {
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
  };
  posix_spawn_file_actions_adddup2(&actions, socket, 0);
  posix_spawn_file_actions_adddup2(&actions, 2, 1);
  posix_spawn_file_actions_addclosefrom_np(&actions, 3);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes,
                           POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
  std::vector<char*> arguments;
  for (const std::string& argument : command) {
    arguments.push_back(const_cast<char*>(argument.c_str()));
  }
  arguments.push_back(nullptr);
  return posix_spawn(pid, command[0].c_str(), &actions, &attributes,
                     arguments.data(), environ);
}

}  // namespace

absl::StatusOr<std::unique_ptr<GradeProcess>> GradeProcess::Start(
    const std::vector<std::string>& command) {
  int ends[2] = {};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    return absl::ErrnoToStatus(errno, "cannot make a socket pair");
  }
  Descriptor ours(ends[0]);
  const Descriptor theirs(ends[1]);
  pid_t pid = -1;
  if (const int error = Spawn(command, theirs.get(), &pid); error != 0) {
    return absl::ErrnoToStatus(error,
                               absl::StrCat("cannot start ", command[0]));
  }
  return std::unique_ptr<GradeProcess>(new GradeProcess(pid, std::move(ours)));
}

GradeProcess::GradeProcess(pid_t pid, Descriptor socket)
    : pid_(pid), socket_(std::move(socket)) {}

GradeProcess::~GradeProcess() {
  kill(pid_, SIGKILL);
  while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

absl::Status GradeProcess::Grade(const GradeRequest& request,
                                 absl::Time deadline, GradeResponse* response,
                                 const std::function<bool()>& gone) {
  asked_ = false;
  const absl::Status status = Exchange(request, deadline, response, gone);
  if (absl::IsUnavailable(status) || absl::IsCancelled(status) ||
      absl::IsDataLoss(status)) {
    usable_ = false;
  } else if (absl::IsDeadlineExceeded(status)) {
    usable_ = asked_ && EndsSoon();
  }
  return status;
}

// Whether the worker comes to the end of its request in a moment. Under load
// many calls are late by little; a fresh worker would cost more than waiting.
bool GradeProcess::EndsSoon() {
  const absl::Time patience = absl::Now() + kPatience;
  while (true) {
    const absl::StatusOr<std::string> frame =
        ReadFrame(socket_.get(), kMaxMessageBytes, patience);
    if (!frame.ok() || frame->empty()) return false;
    if (static_cast<WorkerFrame>((*frame)[0]) != WorkerFrame::kGrade) {
      return true;
    }
  }
}

absl::Status GradeProcess::Exchange(const GradeRequest& request,
                                    absl::Time deadline,
                                    GradeResponse* response,
                                    const std::function<bool()>& gone) {
  const int done = response->grades_size();
  if (done == 0) {
    COHORT_RETURN_IF_ERROR(
        WriteFrame(socket_.get(), request.SerializeAsString(), deadline));
  } else {
    GradeRequest rest = request;
    rest.mutable_completions()->DeleteSubrange(0, done);
    if (rest.finished_size() > 0) {
      rest.mutable_finished()->ExtractSubrange(0, done, nullptr);
    }
    COHORT_RETURN_IF_ERROR(
        WriteFrame(socket_.get(), rest.SerializeAsString(), deadline));
  }
  asked_ = true;
  while (true) {
    const int left = request.completions_size() - response->grades_size();
    if (left > kFewCompletions && gone && gone()) {
      return absl::CancelledError("the caller is gone");
    }
    COHORT_ASSIGN_OR_RETURN(
        const std::string frame,
        ReadFrame(socket_.get(), kMaxMessageBytes, deadline));
    if (frame.empty()) return absl::DataLossError("an empty frame");
    const std::string_view content = std::string_view(frame).substr(1);
    switch (static_cast<WorkerFrame>(frame[0])) {
      case WorkerFrame::kDone:
        return absl::OkStatus();
      case WorkerFrame::kError:
        return ParseWorkerError(content);
      case WorkerFrame::kGrade:
        if (response->add_grades()->ParseFromArray(
                content.data(), static_cast<int>(content.size()))) {
          continue;
        }
        break;
    }
    return absl::DataLossError("a frame that cannot be read");
  }
}

}  // namespace cohort
