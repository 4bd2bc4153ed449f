#include "learner/learner_service.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "learner/prompt_source.h"
#include "proto/log.h"
#include "proto/rpc.h"
#include "proto/status.h"

namespace cohort {
namespace {

// Longer waits are cut to this; the worker asks again.
constexpr absl::Duration kLongestWait = absl::Seconds(30);
// How often a waiting call looks whether its peer is still there.
constexpr absl::Duration kPeerCheck = absl::Milliseconds(200);
// A worker whose stream broke may open another in this time.
constexpr absl::Duration kReconnect = absl::Milliseconds(500);

absl::Status CheckHash(std::string_view what, const std::string& theirs,
                       const std::string& ours) {
  if (theirs.empty() || theirs == ours) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("the worker's ", std::string(what), " has hash ", theirs,
                   ", the run's has ", ours));
}

bool IsShare(double value) { return value >= 0 && value <= 1; }

// What is wrong with `trajectory`; empty when nothing is.
std::string FindFault(const Trajectory& trajectory, const Lease& lease) {
  const int tokens = trajectory.tokens_size();
  if (tokens == 0) return "no tokens";
  if (tokens > lease.sampling().max_completion_tokens()) {
    return absl::StrCat(tokens, " tokens, max_completion_tokens is ",
                        lease.sampling().max_completion_tokens());
  }
  if (trajectory.sampler_logprobs_size() != tokens) {
    return absl::StrCat(tokens, " tokens, but ",
                        trajectory.sampler_logprobs_size(),
                        " sampler_logprobs");
  }
  if (!std::all_of(trajectory.sampler_logprobs().begin(),
                   trajectory.sampler_logprobs().end(),
                   [](float value) { return std::isfinite(value); })) {
    return "a sampler_logprob is not finite";
  }
  int covered = 0;
  for (const VersionSpan& span : trajectory.versions()) {
    if (span.begin() != covered || span.end() <= covered) {
      return absl::StrCat("version spans leave token ", covered, " out");
    }
    if (span.version() < lease.min_policy_version()) {
      return absl::StrCat("sampled by policy ", span.version(),
                          ", min_policy_version is ",
                          lease.min_policy_version());
    }
    covered = span.end();
  }
  if (covered != tokens) {
    return absl::StrCat("version spans cover ", covered, " of ", tokens,
                        " tokens");
  }
  if (trajectory.finish_reason() == FINISH_REASON_UNSPECIFIED) {
    return "no finish_reason";
  }
  if (trajectory.grade().verdict() == VERDICT_UNSPECIFIED) return "no grade";
  if (!IsShare(trajectory.grade().score()) ||
      !IsShare(trajectory.grade().format())) {
    return absl::StrCat("score ", trajectory.grade().score(), ", format ",
                        trajectory.grade().format(), ", not in [0, 1]");
  }
  return "";
}

}  // namespace

std::string NewRunId() {
  std::random_device device;
  const uint64_t high = device();
  return absl::StrCat(absl::Hex(high << 32 | device(), absl::kZeroPad16));
}

absl::Status CheckGroup(const Group& group, const Lease& lease) {
  const auto refuse = [&group](const std::string& why) {
    return absl::InvalidArgumentError(
        absl::StrCat("group ", group.id(), ": ", why));
  };
  if (group.id() != GroupId(lease.occurrence()) ||
      GroupId(group.occurrence()) != group.id()) {
    return refuse(absl::StrCat("its occurrence is ",
                               GroupId(group.occurrence()), ", leased was ",
                               GroupId(lease.occurrence())));
  }
  if (group.eval() != lease.eval()) return refuse("eval is not as leased");
  if (!std::equal(
          group.prompt().tokens().begin(), group.prompt().tokens().end(),
          lease.prompt().tokens().begin(), lease.prompt().tokens().end())) {
    return refuse("its prompt is not the one leased");
  }
  if (group.trajectories_size() != lease.sampling().group_size()) {
    return refuse(absl::StrCat(group.trajectories_size(),
                               " trajectories, group_size is ",
                               lease.sampling().group_size()));
  }
  for (int member = 0; member < group.trajectories_size(); ++member) {
    const std::string fault = FindFault(group.trajectories(member), lease);
    if (!fault.empty()) {
      return refuse(absl::StrCat("trajectory ", member, ": ", fault));
    }
  }
  return absl::OkStatus();
}

LearnerService::LearnerService(
    JoinResponse welcome, LeaseBook* book, ExperienceStore* store,
    WeightBoard* weights, std::function<void(const absl::Status&)> on_failure,
    CallGate gate)
    : welcome_(std::move(welcome)),
      book_(book),
      store_(store),
      weights_(weights),
      on_failure_(std::move(on_failure)),
      gate_(std::move(gate)) {}

grpc::Status LearnerService::Join(grpc::ServerContext* context,
                                  const JoinRequest* request,
                                  JoinResponse* response) {
  COHORT_RETURN_IF_REFUSED(gate_, *context);
  for (const absl::Status& status :
       {CheckHash("model", request->model_hash(), welcome_.model_hash()),
        CheckHash("tokenizer", request->tokenizer_hash(),
                  welcome_.tokenizer_hash())}) {
    if (status.ok()) continue;
    COHORT_LOG(ERROR) << "worker refused worker=" << request->worker()
                      << " reason=\"" << status.message() << '"';
    return ToGrpcStatus(status);
  }
  COHORT_LOG(INFO) << "worker joined worker=" << request->worker();
  // Whatever is leased under this name was an earlier process's.
  book_->ReleaseWorker(request->worker());
  *response = welcome_;
  return grpc::Status::OK;
}

grpc::Status LearnerService::LeasePrompts(grpc::ServerContext* context,
                                          const LeasePromptsRequest* request,
                                          LeasePromptsResponse* response) {
  COHORT_RETURN_IF_REFUSED(gate_, *context);
  if (const absl::Status status =
          CheckRun(request->run_id(), request->worker());
      !status.ok()) {
    return ToGrpcStatus(status);
  }
  const absl::Time deadline =
      absl::Now() +
      std::min(absl::Milliseconds(request->wait_ms()), kLongestWait);
  std::vector<Lease> leases;
  do {
    leases = book_->LeaseTo(request->worker(), request->max_prompts(),
                            std::min(kPeerCheck, deadline - absl::Now()));
  } while (leases.empty() && absl::Now() < deadline && !book_->finished() &&
           !context->IsCancelled());

  absl::Status status =
      leases.empty() ? absl::OkStatus() : Report(store_->MarkLeased(leases));
  if (context->IsCancelled()) {
    status = absl::CancelledError("the worker hung up");
  }
  if (!status.ok()) {
    for (const Lease& lease : leases) {
      book_->GiveBack(GroupId(lease.occurrence()), 0);
    }
    return ToGrpcStatus(status);
  }
  for (Lease& lease : leases) *response->add_leases() = std::move(lease);
  response->set_policy_version(weights_->newest_version());
  response->set_run_finished(book_->finished());
  return grpc::Status::OK;
}

grpc::Status LearnerService::SubmitGroup(grpc::ServerContext* context,
                                         const SubmitGroupRequest* request,
                                         SubmitGroupResponse* response) {
  COHORT_RETURN_IF_REFUSED(gate_, *context);
  absl::Status status = CheckRun(request->run_id(), request->worker());
  if (status.ok()) {
    const absl::StatusOr<bool> stored = Submit(request->group());
    status = stored.status();
    if (stored.ok()) response->set_already_stored(!*stored);
  }
  if (!status.ok()) {
    COHORT_LOG(ERROR) << "group refused worker=" << request->worker()
                      << " reason=\"" << status.message() << '"';
  }
  return ToGrpcStatus(status);
}

absl::StatusOr<bool> LearnerService::Submit(Group group) {
  const absl::StatusOr<bool> is_stored = store_->Contains(group.id());
  COHORT_RETURN_IF_ERROR(Report(is_stored.status()));
  const std::optional<PlannedGroup> planned = book_->Find(group.id());
  if (*is_stored) {
    book_->Deliver(group.id());
    return false;
  }
  if (!planned.has_value()) {
    return absl::FailedPreconditionError(
        absl::StrCat("group ", group.id(), ": nobody waits for it"));
  }
  COHORT_RETURN_IF_ERROR(CheckAgainst(*planned, group));
  SetRewards(planned->rewards, &group);
  const absl::StatusOr<bool> appended = store_->Append(group);
  COHORT_RETURN_IF_ERROR(Report(appended.status()));
  book_->Deliver(group.id());
  return *appended;
}

// A stale group is to be sampled again at once. One that is malformed is not:
// its lease must run out first, or a worker with a bug would spin.
absl::Status LearnerService::CheckAgainst(const PlannedGroup& planned,
                                          const Group& group) {
  COHORT_RETURN_IF_ERROR(CheckGroup(group, planned.lease));
  const int64_t newest = weights_->newest_version();
  if (const int64_t sampled = VersionsOf(group).newest; sampled > newest) {
    return absl::InvalidArgumentError(
        absl::StrCat("group ", group.id(), ": sampled by policy ", sampled,
                     ", newest published is ", newest));
  }
  if (planned.lease.eval()) return absl::OkStatus();
  absl::Status fresh = CheckFresh(group, newest, planned.max_staleness);
  if (!fresh.ok()) {
    book_->GiveBack(group.id(), newest - planned.max_staleness);
  }
  return fresh;
}

grpc::Status LearnerService::StreamWeights(
    grpc::ServerContext* context, const StreamWeightsRequest* request,
    grpc::ServerWriter<WeightShard>* writer) {
  COHORT_RETURN_IF_REFUSED(gate_, *context);
  if (const absl::Status status =
          CheckRun(request->run_id(), request->worker());
      !status.ok()) {
    return ToGrpcStatus(status);
  }
  OpenStream(request->worker());
  int64_t have_version = request->have_version();
  bool connected = true;
  while (connected && !weights_->closed() && !context->IsCancelled()) {
    const std::shared_ptr<const PublishedWeights> weights =
        weights_->WaitForNewer(have_version, kPeerCheck);
    if (weights == nullptr) continue;
    for (const WeightShard& shard : weights->shards) {
      connected = writer->Write(shard);
      if (!connected) break;
    }
    have_version = weights->version;
  }
  CloseStream(request->worker());
  return grpc::Status::OK;
}

int64_t LearnerService::connected_workers() const {
  absl::MutexLock lock(&mu_);
  return static_cast<int64_t>(streams_.size());
}

absl::Status LearnerService::CheckRun(const std::string& run_id,
                                      const std::string& worker) const {
  if (run_id == welcome_.run_id()) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("worker ", worker, " is of run ", run_id, ", this is run ",
                   welcome_.run_id()));
}

absl::Status LearnerService::Report(const absl::Status& store_error) const {
  if (!store_error.ok() && !IsRetryable(store_error) && on_failure_) {
    on_failure_(store_error);
  }
  return store_error;
}

void LearnerService::OpenStream(const std::string& worker) {
  absl::MutexLock lock(&mu_);
  ++streams_[worker];
}

void LearnerService::CloseStream(const std::string& worker) {
  {
    absl::MutexLock lock(&mu_);
    int& open = streams_[worker];
    const auto has_another = [&open] { return open > 1; };
    if (!weights_->closed()) {
      mu_.AwaitWithTimeout(absl::Condition(&has_another), kReconnect);
    }
    if (--open > 0) return;
    streams_.erase(worker);
  }
  book_->ReleaseWorker(worker);
}

}  // namespace cohort
