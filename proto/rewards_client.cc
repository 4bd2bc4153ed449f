#include "proto/rewards_client.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "proto/log.h"
#include "proto/status.h"

namespace cohort {
namespace {

constexpr size_t kPromptsPerCall = 2000;

}  // namespace

absl::Status CheckPrompts(Rewards::StubInterface* rewards,
                          absl::Span<const Prompt* const> prompts,
                          const RetryPolicy& retry) {
  for (size_t begin = 0; begin < prompts.size(); begin += kPromptsPerCall) {
    CheckPromptsRequest request;
    for (const Prompt* prompt : prompts.subspan(begin, kPromptsPerCall)) {
      *request.add_prompts() = *prompt;
    }
    CheckPromptsResponse response;
    COHORT_RETURN_IF_ERROR(
        CallWithRetry(retry, [&](grpc::ClientContext& context) {
          return rewards->CheckPrompts(&context, request, &response);
        }));
    if (response.problems_size() == 0) continue;
    std::string problem = response.problems(0);
    if (response.problems_size() > 1) {
      absl::StrAppend(&problem, " (and ", response.problems_size() - 1,
                      " more)");
    }
    return absl::InvalidArgumentError(problem);
  }
  return absl::OkStatus();
}

GradeRequest MakeGradeRequest(const Group& group) {
  GradeRequest request;
  *request.mutable_prompt() = group.prompt();
  for (const Trajectory& trajectory : group.trajectories()) {
    request.add_completions(trajectory.text());
    request.add_finished(trajectory.finish_reason() == FINISH_REASON_STOP);
  }
  return request;
}

absl::Status TakeGrades(GradeResponse response, Group* group) {
  if (response.grades_size() != group->trajectories_size()) {
    return absl::InternalError(
        absl::StrCat(response.grades_size(), " grades for ",
                     group->trajectories_size(), " completions"));
  }
  for (int i = 0; i < group->trajectories_size(); ++i) {
    *group->mutable_trajectories(i)->mutable_grade() =
        std::move(*response.mutable_grades(i));
  }
  return absl::OkStatus();
}

void RefuseToGrade(Verdict verdict, const absl::Status& status, Group* group) {
  COHORT_LOG(WARNING) << "not graded group=" << group->id()
                      << " status=" << status.ToString();
  for (Trajectory& trajectory : *group->mutable_trajectories()) {
    trajectory.clear_grade();
    trajectory.mutable_grade()->set_verdict(verdict);
    trajectory.mutable_grade()->set_reason(std::string(status.message()));
  }
}

}  // namespace cohort
