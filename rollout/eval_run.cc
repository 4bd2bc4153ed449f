#include "rollout/eval_run.h"

#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "proto/log.h"
#include "proto/rewards_client.h"
#include "proto/rpc.h"
#include "proto/status.h"
#include "rollout/bounded_queue.h"

namespace cohort {
namespace {

constexpr char kStage[] = "eval";
constexpr absl::Duration kProgress = absl::Seconds(10);

std::string GroupId(const Prompt& task) {
  return absl::StrCat(kStage, "/", task.id(), "/0");
}

// Thread-safe: the threads that grade, and what they found.
class Graders {
 public:
  Graders(const EvalSettings& settings, Rewards::StubInterface* rewards,
          std::vector<TaskResult>* results,
          std::unordered_map<std::string, size_t> place_of)
      : settings_(settings),
        rewards_(rewards),
        place_of_(std::move(place_of)),
        queue_(static_cast<size_t>(2 * settings.graders)),
        results_(results) {
    for (int i = 0; i < settings.graders; ++i) {
      threads_.emplace_back([this] { GradeAll(); });
    }
  }

  ~Graders() { queue_.Close(); }

  void Add(Group group) {
    {
      absl::MutexLock lock(&mu_);
      ++open_;
    }
    queue_.Push(std::move(group));
  }

  // OK while nothing is broken.
  absl::Status status() const {
    absl::MutexLock lock(&mu_);
    return status_;
  }

  // Blocks until all that was added is graded, or something is broken.
  absl::Status Finish() {
    absl::MutexLock lock(&mu_);
    mu_.Await(absl::Condition(this, &Graders::Done));
    return status_;
  }

 private:
  bool Done() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return open_ == 0 || !status_.ok();
  }

  void GradeAll() {
    while (std::optional<Group> group = queue_.Pop()) {
      absl::StatusOr<TaskResult> result = GradeOne(*std::move(group));
      absl::MutexLock lock(&mu_);
      --open_;
      if (result.ok()) {
        const size_t place = place_of_.at(result->group.id());
        (*results_)[place] = *std::move(result);
      } else if (status_.ok()) {
        status_ = result.status();
      }
    }
  }

  absl::Status Call(
      const std::function<grpc::Status(grpc::ClientContext&)>& attempt) const {
    return CallWithRetry({.call_timeout = settings_.grade_timeout,
                          .total_timeout = settings_.grade_timeout},
                         attempt);
  }

  absl::StatusOr<TaskResult> GradeOne(Group group) const {
    const GradeRequest request = MakeGradeRequest(group);
    GradeResponse response;
    absl::Status status = Call([&](grpc::ClientContext& context) {
      return rewards_->Grade(&context, request, &response);
    });
    if (absl::IsUnavailable(status)) {
      return absl::UnavailableError(
          absl::StrCat("reward server gone: ", status.message()));
    }
    if (status.ok()) status = TakeGrades(std::move(response), &group);
    if (!status.ok()) {
      RefuseToGrade(
          IsRetryable(status) ? VERDICT_INFRA_ERROR : VERDICT_GRADER_ERROR,
          status, &group);
    }
    TaskResult result{.group = std::move(group), .classes = {}};
    if (status.ok()) COHORT_RETURN_IF_ERROR(Vote(&result));
    return result;
  }

  // Votes need answers to compare: code has none.
  absl::Status Vote(TaskResult* result) const {
    const Prompt& prompt = result->group.prompt();
    if (result->group.trajectories_size() < 2 || prompt.answer().empty()) {
      return absl::OkStatus();
    }
    GroupEqualRequest request;
    *request.mutable_prompt() = prompt;
    for (const Trajectory& trajectory : result->group.trajectories()) {
      request.add_completions(trajectory.text());
    }
    GroupEqualResponse response;
    COHORT_RETURN_IF_ERROR(Call([&](grpc::ClientContext& context) {
      return rewards_->GroupEqual(&context, request, &response);
    }));
    if (response.classes_size() != request.completions_size()) {
      return absl::InternalError(absl::StrCat(
          "prompt ", prompt.id(), ": ", response.classes_size(),
          " classes for ", request.completions_size(), " completions"));
    }
    result->classes.assign(response.classes().begin(),
                           response.classes().end());
    return absl::OkStatus();
  }

  const EvalSettings& settings_;
  Rewards::StubInterface* const rewards_;
  const std::unordered_map<std::string, size_t> place_of_;
  BoundedQueue<Group> queue_;

  mutable absl::Mutex mu_;
  std::vector<TaskResult>* const results_ ABSL_PT_GUARDED_BY(mu_);
  int64_t open_ ABSL_GUARDED_BY(mu_) = 0;
  absl::Status status_ ABSL_GUARDED_BY(mu_);

  std::vector<std::jthread> threads_;  // Last: they use all of the above.
};

}  // namespace

absl::StatusOr<std::vector<TaskResult>> Evaluate(
    const std::vector<Prompt>& tasks, const EvalSettings& settings,
    Rewards::StubInterface* rewards, Engine* engine) {
  std::vector<TaskResult> results(tasks.size());
  std::unordered_map<std::string, size_t> place_of;
  Lease lease;
  lease.mutable_occurrence()->set_stage(kStage);
  *lease.mutable_sampling() = settings.sampling;
  lease.set_eval(true);
  for (size_t i = 0; i < tasks.size(); ++i) {
    lease.mutable_occurrence()->set_prompt_id(tasks[i].id());
    *lease.mutable_prompt() = tasks[i];
    COHORT_RETURN_IF_ERROR(engine->Add(lease));
    place_of[GroupId(tasks[i])] = i;
  }
  Graders graders(settings, rewards, &results, std::move(place_of));
  size_t sampled = 0;
  absl::Time reported = absl::Now();
  while (engine->Pending() > 0) {
    COHORT_RETURN_IF_ERROR(graders.status());
    COHORT_ASSIGN_OR_RETURN(std::vector<Group> groups, engine->Step());
    for (Group& group : groups) {
      ++sampled;
      graders.Add(std::move(group));
    }
    if (absl::Now() - reported < kProgress) continue;
    reported = absl::Now();
    COHORT_LOG(INFO) << "sampled tasks=" << sampled << " of=" << tasks.size();
  }
  COHORT_RETURN_IF_ERROR(graders.Finish());
  return results;
}

}  // namespace cohort
