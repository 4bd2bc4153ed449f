#include "rewards/grade_worker.h"

#include <sys/resource.h>
#include <sys/time.h>

#include <functional>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "proto/rpc.h"
#include "proto/status.h"
#include "rewards/frames.h"

namespace cohort {
namespace {

// SIGPROF, which ends the process, after so much more CPU time; 0 disarms.
void ArmCpuLimit(absl::Duration cpu) {
  itimerval timer = {};
  timer.it_value = absl::ToTimeval(cpu);
  setitimer(ITIMER_PROF, &timer, nullptr);
}

void LimitMemory(int64_t bytes) {
  const rlimit none = {.rlim_cur = 0, .rlim_max = 0};
  setrlimit(RLIMIT_CORE, &none);
  // A sanitizer's shadow memory would count.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  const auto limit = static_cast<rlim_t>(bytes);
  const rlimit data = {.rlim_cur = limit, .rlim_max = limit};
  setrlimit(RLIMIT_DATA, &data);
#else
  (void)bytes;
#endif
}

absl::Status Send(int socket, WorkerFrame kind, absl::string_view content) {
  std::string frame(1, static_cast<char>(kind));
  frame.append(content.data(), content.size());
  return WriteFrame(socket, frame, absl::InfiniteFuture());
}

// Grades every completion of `request` in order and hands each grade to `take`.
absl::Status GradeEach(const GraderMap& graders, const GradeRequest& request,
                       const std::function<absl::Status(const Grade&)>& take) {
  const Prompt& prompt = request.prompt();
  COHORT_ASSIGN_OR_RETURN(const Grader* const grader,
                          GraderFor(graders, prompt));
  for (int i = 0; i < request.completions_size(); ++i) {
    COHORT_ASSIGN_OR_RETURN(
        const Grade grade,
        GradeCompletion(*grader, prompt, CompletionOf(request, i),
                        absl::InfiniteFuture()));
    COHORT_RETURN_IF_ERROR(take(grade));
  }
  return absl::OkStatus();
}

}  // namespace

int RunGradeWorker(const GraderMap& graders, const WorkerLimits& limits,
                   int socket) {
  LimitMemory(limits.memory_bytes);
  while (true) {
    const absl::StatusOr<std::string> frame =
        ReadFrame(socket, kMaxMessageBytes, absl::InfiniteFuture());
    if (!frame.ok()) return 0;
    GradeRequest request;
    if (!request.ParseFromString(*frame)) return 1;
    ArmCpuLimit(limits.cpu);
    const absl::Status graded =
        GradeEach(graders, request, [&](const Grade& grade) {
          ArmCpuLimit(limits.cpu);
          return Send(socket, WorkerFrame::kGrade, grade.SerializeAsString());
        });
    ArmCpuLimit(absl::ZeroDuration());
    const absl::Status sent =
        graded.ok()
            ? Send(socket, WorkerFrame::kDone, "")
            : Send(socket, WorkerFrame::kError,
                   absl::StrCat(graded.raw_code(), " ", graded.message()));
    if (!sent.ok()) return 0;
  }
}

absl::Status ParseWorkerError(std::string_view text) {
  const size_t space = text.find(' ');
  int code = 0;
  if (space == std::string_view::npos ||
      !absl::SimpleAtoi(absl::string_view(text.data(), space), &code) ||
      code == 0) {
    return absl::InternalError("a grading worker's error cannot be read");
  }
  text.remove_prefix(space + 1);
  return absl::Status(static_cast<absl::StatusCode>(code),
                      absl::string_view(text.data(), text.size()));
}

}  // namespace cohort
