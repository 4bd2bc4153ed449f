#include "rewards/grade_pool.h"

#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "proto/check.h"
#include "proto/log.h"
#include "proto/status.h"
#include "rewards/grade_process.h"

namespace cohort {
namespace {

constexpr int kAttempts = 2;  // For one completion.

void AddUndecided(GradeResponse* response) {
  Grade* const grade = response->add_grades();
  grade->set_verdict(VERDICT_UNDECIDED);
  grade->set_reason("resource");
}

}  // namespace

GradePool::GradePool(std::vector<std::string> command, int workers)
    : command_(std::move(command)), idle_(static_cast<size_t>(workers)) {
  COHORT_CHECK(workers >= 1);
}

GradePool::~GradePool() = default;

absl::Status GradePool::Grade(const GradeRequest& request, absl::Time deadline,
                              GradeResponse* response,
                              const std::function<bool()>& gone) {
  COHORT_ASSIGN_OR_RETURN(std::unique_ptr<GradeProcess> process,
                          Borrow(deadline));
  const absl::Cleanup give_back = [&] { Return(std::move(process)); };
  int attempts = 0;  // For the completion that is next.
  while (true) {
    if (process == nullptr || !process->usable()) {
      COHORT_RETURN_IF_ERROR(StartAgain(&process));
    }
    const int graded = response->grades_size();
    const absl::Status status =
        process->Grade(request, deadline, response, gone);
    if (!absl::IsUnavailable(status)) return status;
    if (response->grades_size() > graded) attempts = 0;
    {
      absl::MutexLock lock(&mu_);
      ++deaths_;
    }
    COHORT_LOG(WARNING) << "a grading worker died prompt="
                        << request.prompt().id()
                        << " completion=" << response->grades_size();
    if (++attempts < kAttempts) continue;
    attempts = 0;
    if (response->grades_size() == request.completions_size()) {
      return absl::InvalidArgumentError(
          absl::StrCat("prompt ", request.prompt().id(), ": verifier ",
                       request.prompt().verifier(),
                       ": the prompt itself needs too much memory or time"));
    }
    AddUndecided(response);
  }
}

int64_t GradePool::deaths() const {
  absl::MutexLock lock(&mu_);
  return deaths_;
}

absl::StatusOr<std::unique_ptr<GradeProcess>> GradePool::Borrow(
    absl::Time deadline) {
  absl::MutexLock lock(&mu_);
  if (!mu_.AwaitWithDeadline(absl::Condition(this, &GradePool::AnyIdle),
                             deadline)) {
    return absl::DeadlineExceededError("all grading workers were busy");
  }
  // The last one back is the first to go: others need not be started at all.
  std::unique_ptr<GradeProcess> process = std::move(idle_.back());
  idle_.pop_back();
  return process;
}

void GradePool::Return(std::unique_ptr<GradeProcess> process) {
  absl::MutexLock lock(&mu_);
  idle_.push_back(std::move(process));
}

absl::Status GradePool::StartAgain(std::unique_ptr<GradeProcess>* process) {
  process->reset();
  absl::StatusOr<std::unique_ptr<GradeProcess>> fresh =
      GradeProcess::Start(command_);
  if (!fresh.ok()) {
    return absl::UnavailableError(absl::StrCat(
        "no grading worker can be started: ", fresh.status().message()));
  }
  *process = *std::move(fresh);
  return absl::OkStatus();
}

}  // namespace cohort
