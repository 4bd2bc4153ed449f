#include "rewards/rewards_service.h"

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "proto/check.h"
#include "proto/rpc.h"
#include "proto/status.h"

namespace cohort {
namespace {

// Where the shape of a completion counts, how it ended must be known.
absl::Status CheckFinished(const GradeRequest& request) {
  const bool needed =
      !request.prompt().format().empty() || request.finished_size() > 0;
  if (needed && request.finished_size() != request.completions_size()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "prompt ", request.prompt().id(), ": ", request.completions_size(),
        " completions, but 'finished' says of ", request.finished_size(),
        " whether they are"));
  }
  return absl::OkStatus();
}

}  // namespace

RewardsService::RewardsService(const GraderMap* graders, int workers)
    : graders_(*graders), free_workers_(workers) {
  COHORT_CHECK(workers >= 1);
}

grpc::Status RewardsService::Grade(grpc::ServerContext* context,
                                   const GradeRequest* request,
                                   GradeResponse* response) {
  return ToGrpcStatus(
      GradeAll(*request, absl::FromChrono(context->deadline()), response));
}

grpc::Status RewardsService::CheckPrompts(grpc::ServerContext* /*context*/,
                                          const CheckPromptsRequest* request,
                                          CheckPromptsResponse* response) {
  for (const Prompt& prompt : request->prompts()) {
    const absl::Status status = GraderFor(graders_, prompt).status();
    if (!status.ok()) response->add_problems(std::string(status.message()));
  }
  return grpc::Status::OK;
}

absl::Status RewardsService::GradeAll(const GradeRequest& request,
                                      absl::Time deadline,
                                      GradeResponse* response) {
  const Prompt& prompt = request.prompt();
  COHORT_ASSIGN_OR_RETURN(const Grader* const grader,
                          GraderFor(graders_, prompt));
  COHORT_RETURN_IF_ERROR(CheckFinished(request));
  COHORT_RETURN_IF_ERROR(TakeTurn(prompt, deadline));
  const absl::Cleanup end_turn = [this] { EndTurn(); };

  GradeResponse graded;
  for (int i = 0; i < request.completions_size(); ++i) {
    const Completion completion = {
        .text = request.completions(i),
        .finished = request.finished_size() == 0 || request.finished(i)};
    COHORT_ASSIGN_OR_RETURN(
        *graded.add_grades(),
        GradeCompletion(*grader, prompt, completion, deadline));
  }
  *response = std::move(graded);
  return absl::OkStatus();
}

absl::Status RewardsService::TakeTurn(const Prompt& prompt,
                                      absl::Time deadline) {
  absl::MutexLock lock(&mu_);
  const auto any_free = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return free_workers_ > 0;
  };
  if (!mu_.AwaitWithDeadline(absl::Condition(&any_free), deadline)) {
    return absl::DeadlineExceededError(absl::StrCat(
        "prompt ", prompt.id(), ": all grading workers were busy"));
  }
  --free_workers_;
  return absl::OkStatus();
}

void RewardsService::EndTurn() {
  absl::MutexLock lock(&mu_);
  ++free_workers_;
}

}  // namespace cohort
