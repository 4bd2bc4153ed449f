#include "rewards/rewards_service.h"

#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "proto/rpc.h"
#include "proto/status.h"
#include "rewards/equal_groups.h"

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

absl::Status About(const Prompt& prompt, const absl::Status& status) {
  return absl::Status(status.code(), absl::StrCat("prompt ", prompt.id(), ": ",
                                                  status.message()));
}

grpc::Status Answer(const absl::Status& status, absl::Duration retry_after,
                    grpc::ServerContext* context) {
  if (absl::IsResourceExhausted(status)) AskToRetry(retry_after, context);
  return ToGrpcStatus(status);
}

}  // namespace

RewardsService::RewardsService(const RewardsParts& parts,
                               const RewardsLimits& limits, CallGate gate)
    : parts_(parts),
      gate_(std::move(gate)),
      // One more than there are workers, so that none waits for its next call.
      turns_(limits.workers + 1, limits.max_waiting),
      elsewhere_turns_(limits.workers, limits.max_waiting) {}

grpc::Status RewardsService::Grade(grpc::ServerContext* context,
                                   const GradeRequest* request,
                                   GradeResponse* response) {
  COHORT_RETURN_IF_REFUSED(gate_, *context);
  absl::Duration retry_after;
  const absl::Status status =
      GradeAll(*request, absl::FromChrono(context->deadline()), response,
               &retry_after, [context] { return context->IsCancelled(); });
  return Answer(status, retry_after, context);
}

grpc::Status RewardsService::CheckPrompts(grpc::ServerContext* context,
                                          const CheckPromptsRequest* request,
                                          CheckPromptsResponse* response) {
  COHORT_RETURN_IF_REFUSED(gate_, *context);
  for (const Prompt& prompt : request->prompts()) {
    GradeRequest check;
    *check.mutable_prompt() = prompt;
    GradeResponse none;
    absl::Duration retry_after;
    const absl::Status status =
        Run(check, absl::FromChrono(context->deadline()), &none, &retry_after);
    if (IsRetryable(status) || absl::IsResourceExhausted(status)) {
      return Answer(status, retry_after, context);
    }
    if (!status.ok()) response->add_problems(std::string(status.message()));
  }
  return grpc::Status::OK;
}

grpc::Status RewardsService::GroupEqual(grpc::ServerContext* context,
                                        const GroupEqualRequest* request,
                                        GroupEqualResponse* response) {
  COHORT_RETURN_IF_REFUSED(gate_, *context);
  absl::Duration retry_after;
  const absl::Time deadline = absl::FromChrono(context->deadline());
  const absl::Status status = GroupByAnswer(
      *request,
      [&](const GradeRequest& grade, GradeResponse* graded) {
        return Run(grade, deadline, graded, &retry_after);
      },
      response);
  return Answer(status, retry_after, context);
}

absl::Status RewardsService::GradeAll(const GradeRequest& request,
                                      absl::Time deadline,
                                      GradeResponse* response,
                                      absl::Duration* retry_after,
                                      const std::function<bool()>& gone) {
  const absl::Time start = absl::Now();
  GradeResponse graded;
  absl::Status status = CheckFinished(request);
  if (status.ok()) status = Run(request, deadline, &graded, retry_after, gone);
  Count(request, status, graded, absl::Now() - start);
  if (status.ok()) *response = std::move(graded);
  return status;
}

absl::Status RewardsService::Run(const GradeRequest& request,
                                 absl::Time deadline, GradeResponse* response,
                                 absl::Duration* retry_after,
                                 const std::function<bool()>& gone) {
  const Prompt& prompt = request.prompt();
  COHORT_ASSIGN_OR_RETURN(const Grader* const grader,
                          FindGrader(*parts_.graders, prompt));
  const GradingPlace place = grader->place();
  TurnQueue& turns =
      place == GradingPlace::kElsewhere ? elsewhere_turns_ : turns_;
  if (const absl::Status taken = turns.Take(deadline, retry_after);
      !taken.ok()) {
    return About(prompt, taken);
  }
  const absl::Time start = absl::Now();
  const absl::Cleanup end_turn = [&] { turns.End(absl::Now() - start); };
  if (place == GradingPlace::kWorker) {
    return parts_.pool->Grade(request, deadline, response, gone);
  }
  return GradeRequestHere(*parts_.graders, request, deadline, response);
}

void RewardsService::Count(const GradeRequest& request,
                           const absl::Status& status,
                           const GradeResponse& response,
                           absl::Duration elapsed) {
  const std::string& verifier = request.prompt().verifier();
  // A name that a caller made up is no label.
  const std::string label =
      parts_.graders->contains(verifier) ? verifier : "unknown";
  parts_.metrics->CountCall(label, status.code(), elapsed);
  if (!status.ok()) return;
  for (int i = 0; i < response.grades_size(); ++i) {
    parts_.metrics->CountGrade(label, response.grades(i));
    if (parts_.auditor == nullptr) continue;
    if (const auto agreed = parts_.auditor->Audit(
            request.prompt(), request.completions(i), response.grades(i))) {
      parts_.metrics->CountAudit(label, *agreed);
    }
  }
}

int64_t RewardsService::waiting() const {
  return turns_.waiting() + elsewhere_turns_.waiting();
}

int64_t RewardsService::busy() const {
  return turns_.busy() + elsewhere_turns_.busy();
}

}  // namespace cohort
