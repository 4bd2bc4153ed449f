#include "rollout/worker.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "proto/log.h"
#include "proto/rewards_client.h"
#include "proto/status.h"

namespace cohort {
namespace {

constexpr absl::Duration kIdleWait = absl::Milliseconds(100);
constexpr absl::Duration kCallTimeout = absl::Seconds(30);

// A call that `stop` breaks off, also while it is under way. Any other
// cancellation is a server that is going down: another attempt may succeed.
absl::Status CallUntilStopped(
    absl::Duration call_timeout, absl::Duration total_timeout,
    const std::stop_token& stop,
    const std::function<grpc::Status(grpc::ClientContext&)>& attempt) {
  const RetryPolicy policy = {.call_timeout = call_timeout,
                              .total_timeout = total_timeout};
  const auto stopped = [&] { return stop.stop_requested(); };
  return CallWithRetry(
      policy,
      [&](grpc::ClientContext& context) -> grpc::Status {
        const std::stop_callback break_off(stop, [&] { context.TryCancel(); });
        grpc::Status status = attempt(context);
        if (status.error_code() == grpc::StatusCode::CANCELLED && !stopped()) {
          return {grpc::StatusCode::UNAVAILABLE, status.error_message()};
        }
        return status;
      },
      stopped);
}

absl::Status Gone(absl::string_view who, absl::Duration patience,
                  const absl::Status& status) {
  return absl::UnavailableError(absl::StrCat(who, " gone for ",
                                             absl::FormatDuration(patience),
                                             ": ", status.message()));
}

}  // namespace

absl::StatusOr<JoinResponse> JoinRun(Learner::StubInterface* learner,
                                     const JoinRequest& request,
                                     absl::Duration patience,
                                     const std::stop_token& stop) {
  JoinResponse response;
  const absl::Status status = CallUntilStopped(
      kCallTimeout, patience, stop, [&](grpc::ClientContext& context) {
        return learner->Join(&context, request, &response);
      });
  if (IsRetryable(status)) return Gone("learner", patience, status);
  COHORT_RETURN_IF_ERROR(status);
  return response;
}

Worker::Worker(const WorkerSettings& settings, Learner::StubInterface* learner,
               Rewards::StubInterface* rewards, Engine* engine,
               WeightReceiver* weights)
    : settings_(settings),
      learner_(learner),
      rewards_(rewards),
      engine_(engine),
      weights_(weights),
      leased_(static_cast<size_t>(settings.lease_prompts)),
      sampled_(static_cast<size_t>(2 * settings.graders)) {}

absl::Status Worker::Run(const std::stop_token& stop) {
  const std::stop_callback end(stop, [this] { End(absl::OkStatus()); });
  {
    std::vector<std::jthread> threads;
    threads.emplace_back([this] { weights_->Run(stop_.get_token()); });
    threads.emplace_back([this] { End(LeaseAll()); });
    for (int i = 0; i < settings_.graders; ++i) {
      threads.emplace_back([this] { End(DeliverAll()); });
    }
    End(SampleAll());
  }
  absl::MutexLock lock(&mu_);
  return result_;
}

// The first to end ends all; what comes later is only its echo.
void Worker::End(const absl::Status& status) {
  {
    absl::MutexLock lock(&mu_);
    if (stopped_) return;
    stopped_ = true;
    result_ = status;
  }
  leased_.Close();
  sampled_.Close();
  stop_.request_stop();
}

// Row 2 of the life of a prompt: asks for prompts while there is room for them.
absl::Status Worker::LeaseAll() {
  while (true) {
    LeasePromptsRequest request;
    {
      absl::MutexLock lock(&mu_);
      mu_.Await(absl::Condition(this, &Worker::HasRoom));
      if (stopped_) return absl::OkStatus();
      request.set_max_prompts(static_cast<int32_t>(RoomForPrompts()));
    }
    request.set_run_id(settings_.run_id);
    request.set_worker(settings_.name);
    request.set_wait_ms(absl::ToInt64Milliseconds(settings_.lease_wait));
    LeasePromptsResponse response;
    const absl::Status status =
        Call(settings_.lease_wait + kCallTimeout, settings_.patience,
             [&](grpc::ClientContext& context) {
               return learner_->LeasePrompts(&context, request, &response);
             });
    if (IsRetryable(status)) {
      return Gone("learner", settings_.patience, status);
    }
    COHORT_RETURN_IF_ERROR(status);
    if (response.run_finished()) return absl::OkStatus();
    for (Lease& lease : *response.mutable_leases()) {
      {
        absl::MutexLock lock(&mu_);
        unsampled_ += lease.sampling().group_size();
      }
      leased_.Push(std::move(lease));
    }
  }
}

int64_t Worker::RoomForPrompts() const {
  const int64_t room = settings_.max_sequences - unsampled_;
  if (room <= 0) return 0;
  return std::clamp<int64_t>(room / std::max(1, settings_.group_size), 1,
                             settings_.lease_prompts);
}

// Row 3: samples what was leased, one engine step after another.
absl::Status Worker::SampleAll() {
  while (!stop_.stop_requested()) {
    COHORT_RETURN_IF_ERROR(engine_->ApplyNewWeights());
    COHORT_RETURN_IF_ERROR(TakeLeases());
    if (engine_->Pending() == 0) continue;
    COHORT_ASSIGN_OR_RETURN(std::vector<Group> groups, engine_->Step());
    for (Group& group : groups) {
      {
        absl::MutexLock lock(&mu_);
        unsampled_ -= group.trajectories_size();
      }
      group.set_worker(settings_.name);
      sampled_.Push(std::move(group));
    }
  }
  return absl::OkStatus();
}

// Moves leases to the engine; waits for something to happen when it is idle.
absl::Status Worker::TakeLeases() {
  absl::Duration wait = engine_->Pending() == 0 && waiting_.empty()
                            ? kIdleWait
                            : absl::ZeroDuration();
  while (std::optional<Lease> lease = leased_.Pop(wait)) {
    waiting_.push_back(*std::move(lease));
    wait = absl::ZeroDuration();
  }
  while (!waiting_.empty() &&
         engine_->PolicyVersion() >=
             std::max<int64_t>(0, waiting_.front().min_policy_version())) {
    COHORT_RETURN_IF_ERROR(engine_->Add(waiting_.front()));
    waiting_.pop_front();
  }
  if (engine_->Pending() == 0 && !waiting_.empty()) {
    weights_->WaitForNew(kIdleWait);
  }
  return absl::OkStatus();
}

// Rows 4 and 5: grades what was sampled and brings it home.
absl::Status Worker::DeliverAll() {
  while (std::optional<Group> group = sampled_.Pop()) {
    COHORT_RETURN_IF_ERROR(GradeGroup(&*group));
    COHORT_RETURN_IF_ERROR(SubmitGroup(*group));
  }
  return absl::OkStatus();
}

absl::Status Worker::GradeGroup(Group* group) {
  const absl::Time start = absl::Now();
  const GradeRequest request = MakeGradeRequest(*group);
  GradeResponse response;
  bool unreachable = false;  // Not merely slow.
  absl::Status status = Call(
      settings_.grade_timeout, settings_.grade_timeout,
      [&](grpc::ClientContext& context) {
        const grpc::Status graded =
            rewards_->Grade(&context, request, &response);
        unreachable |= graded.error_code() == grpc::StatusCode::UNAVAILABLE;
        return graded;
      });
  if (IsRetryable(status) && unreachable) {
    return Gone("reward server", settings_.grade_timeout, status);
  }
  if (absl::IsCancelled(status)) return status;
  if (status.ok()) status = TakeGrades(std::move(response), group);
  group->set_grade_s(absl::ToDoubleSeconds(absl::Now() - start));
  if (!status.ok()) {
    RefuseToGrade(
        IsRetryable(status) ? VERDICT_INFRA_ERROR : VERDICT_GRADER_ERROR,
        status, group);
  }
  return absl::OkStatus();
}

absl::Status Worker::SubmitGroup(const Group& group) {
  SubmitGroupRequest request;
  request.set_run_id(settings_.run_id);
  request.set_worker(settings_.name);
  *request.mutable_group() = group;
  SubmitGroupResponse response;
  absl::Status status =
      Call(kCallTimeout, settings_.patience, [&](grpc::ClientContext& context) {
        return learner_->SubmitGroup(&context, request, &response);
      });
  if (IsRetryable(status)) return Gone("learner", settings_.patience, status);
  if (absl::IsFailedPrecondition(status) || absl::IsInvalidArgument(status)) {
    COHORT_LOG(WARNING) << "dropped group=" << group.id()
                        << " status=" << status.ToString();
    return absl::OkStatus();
  }
  return status;
}

absl::Status Worker::Call(
    absl::Duration call_timeout, absl::Duration total_timeout,
    const std::function<grpc::Status(grpc::ClientContext&)>& attempt) {
  return CallUntilStopped(call_timeout, total_timeout, stop_.get_token(),
                          attempt);
}

}  // namespace cohort
