#include "rewards/external_grader.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "proto/log.h"
#include "proto/rpc.h"
#include "proto/status.h"

namespace cohort {
namespace {

constexpr absl::Duration kCallTimeout = absl::Seconds(30);
constexpr absl::Duration kTotalTimeout = absl::Minutes(2);
// Left of the caller's own deadline, to tell it what happened.
constexpr absl::Duration kMargin = absl::Milliseconds(500);

absl::Status CheckGrades(const GradeRequest& request,
                         const GradeResponse& response) {
  if (response.grades_size() != request.completions_size()) {
    return absl::InternalError(
        absl::StrCat(response.grades_size(), " grades for ",
                     request.completions_size(), " completions"));
  }
  for (const Grade& grade : response.grades()) {
    if (!(grade.score() >= 0 && grade.score() <= 1) ||
        !(grade.format() >= 0 && grade.format() <= 1)) {
      return absl::InternalError("a score outside [0, 1]");
    }
    if (grade.verdict() == VERDICT_UNSPECIFIED ||
        !Verdict_IsValid(grade.verdict())) {
      return absl::InternalError("a grade without a verdict");
    }
    if (grade.verdict() != VERDICT_CORRECT && grade.score() != 0) {
      return absl::InternalError("a score above 0 that is not `correct`");
    }
  }
  return absl::OkStatus();
}

std::vector<Grade> InfraErrors(const Prompt& prompt, const absl::Status& status,
                               size_t count) {
  COHORT_LOG(WARNING) << "external verifier failed prompt=" << prompt.id()
                      << " status=" << status.ToString();
  Grade grade =
      WrongGrade("", absl::StrCat("external verifier: ", status.message()));
  grade.set_verdict(VERDICT_INFRA_ERROR);
  return std::vector<Grade>(count, grade);
}

}  // namespace

ExternalGrader::ExternalGrader(const std::string& address,
                               const Credentials& credentials) {
  if (!address.empty()) {
    stub_ = Rewards::NewStub(MakeChannel(address, credentials));
  }
}

absl::Status ExternalGrader::CheckPrompt(const Prompt& /*prompt*/) const {
  if (stub_ != nullptr) return absl::OkStatus();
  return absl::InvalidArgumentError(
      "no external verifier is configured (rewards.external)");
}

absl::StatusOr<Grade> ExternalGrader::GradeOne(const Prompt& prompt,
                                               const Completion& completion,
                                               absl::Time deadline) const {
  COHORT_ASSIGN_OR_RETURN(std::vector<Grade> grades,
                          GradeMany(prompt, {completion}, deadline));
  return std::move(grades[0]);
}

absl::StatusOr<std::vector<Grade>> ExternalGrader::GradeMany(
    const Prompt& prompt, absl::Span<const Completion> completions,
    absl::Time deadline) const {
  GradeRequest request;
  *request.mutable_prompt() = prompt;
  for (const Completion& completion : completions) {
    request.add_completions(std::string(completion.text));
    request.add_finished(completion.finished);
  }
  const RetryPolicy policy = {
      .call_timeout = kCallTimeout,
      .total_timeout =
          std::min(kTotalTimeout, deadline - absl::Now() - kMargin)};
  GradeResponse response;
  absl::Status status =
      CallWithRetry(policy, [&](grpc::ClientContext& context) {
        response.Clear();
        return stub_->Grade(&context, request, &response);
      });
  if (status.ok()) status = CheckGrades(request, response);
  if (!status.ok()) return InfraErrors(prompt, status, completions.size());
  return std::vector<Grade>(response.grades().begin(), response.grades().end());
}

}  // namespace cohort
