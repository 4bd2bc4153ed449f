// Learner and reward server in this process, on loopback, scripted by a test.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "grpcpp/grpcpp.h"
#include "proto/learner.grpc.pb.h"
#include "proto/rewards.grpc.pb.h"
#include "proto/rpc.h"
#include "xxhash.h"

namespace cohort {

// A server on a free port that can be stopped and started again on it.
class TestServer {
 public:
  explicit TestServer(grpc::Service* service) : service_(service) { Start(); }
  ~TestServer() { Stop(); }

  void Start() {
    grpc::ServerBuilder builder;
    builder.SetMaxReceiveMessageSize(kMaxMessageBytes);
    int port = 0;
    builder.AddListeningPort(
        port_ == 0 ? "127.0.0.1:0" : absl::StrCat("127.0.0.1:", port_),
        grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(service_);
    server_ = builder.BuildAndStart();
    port_ = port;
  }

  void Stop() {
    if (server_ == nullptr) return;
    server_->Shutdown(std::chrono::system_clock::now());
    server_ = nullptr;
  }

  std::string address() const { return absl::StrCat("127.0.0.1:", port_); }

 private:
  grpc::Service* service_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

// One float32 tensor "w" of two values.
inline std::vector<TensorInfo> OneTensor() {
  TensorInfo tensor;
  tensor.set_name("w");
  tensor.set_dtype("F32");
  tensor.add_shape(2);
  return {tensor};
}

// `bytes` of `tensors`, in shards of `shard_bytes`.
inline std::vector<WeightShard> MakeShards(
    int64_t version, const std::string& bytes, size_t shard_bytes,
    const std::vector<TensorInfo>& tensors = OneTensor()) {
  std::vector<WeightShard> shards;
  std::vector<uint64_t> checksums;
  for (size_t offset = 0; offset < bytes.size(); offset += shard_bytes) {
    WeightShard shard;
    shard.set_version(version);
    shard.set_index(static_cast<int32_t>(shards.size()));
    shard.set_offset(offset);
    shard.set_total_bytes(bytes.size());
    shard.set_data(bytes.substr(offset, shard_bytes));
    shard.set_checksum(XXH3_64bits(shard.data().data(), shard.data().size()));
    checksums.push_back(shard.checksum());
    shards.push_back(std::move(shard));
  }
  for (const TensorInfo& tensor : tensors) *shards[0].add_tensors() = tensor;
  for (WeightShard& shard : shards) {
    shard.set_count(static_cast<int32_t>(shards.size()));
    shard.set_total_checksum(
        XXH3_64bits(checksums.data(), checksums.size() * sizeof(uint64_t)));
  }
  return shards;
}

// Thread-safe. Hands out what it is given, and stores groups once per id.
class FakeLearner : public Learner::Service {
 public:
  grpc::Status LeasePrompts(grpc::ServerContext*,
                            const LeasePromptsRequest* request,
                            LeasePromptsResponse* response) override {
    absl::MutexLock lock(&mu_);
    most_asked_ = std::max(most_asked_, request->max_prompts());
    mu_.AwaitWithTimeout(
        absl::Condition(this, &FakeLearner::HasLeases),
        absl::Milliseconds(std::min<int64_t>(request->wait_ms(), 50)));
    while (!leases_.empty() &&
           response->leases_size() < request->max_prompts()) {
      *response->add_leases() = std::move(leases_.front());
      leases_.pop_front();
    }
    response->set_policy_version(version_);
    response->set_run_finished(finished_);
    return lease_status_;
  }

  grpc::Status SubmitGroup(grpc::ServerContext*,
                           const SubmitGroupRequest* request,
                           SubmitGroupResponse* response) override {
    absl::MutexLock lock(&mu_);
    const Group& group = request->group();
    ++submits_[group.id()];
    if (stale_.contains(group.id())) {
      return {grpc::StatusCode::FAILED_PRECONDITION, "too stale"};
    }
    response->set_already_stored(!groups_.emplace(group.id(), group).second);
    if (lose_replies_ > 0) {
      --lose_replies_;
      return {grpc::StatusCode::UNAVAILABLE, "the reply was lost"};
    }
    return grpc::Status::OK;
  }

  grpc::Status StreamWeights(grpc::ServerContext* context,
                             const StreamWeightsRequest* request,
                             grpc::ServerWriter<WeightShard>* writer) override {
    absl::MutexLock lock(&mu_);
    ++streams_;
    int64_t sent = request->have_version();
    have_version_ = request->have_version();
    while (!context->IsCancelled()) {
      if (version_ != sent) {
        sent = version_;
        for (const WeightShard& shard : shards_) writer->Write(shard);
      }
      const auto changed = [&] { return version_ != sent || streams_end_; };
      mu_.AwaitWithTimeout(absl::Condition(&changed), absl::Milliseconds(20));
      if (streams_end_) break;
    }
    return grpc::Status::OK;
  }

  void AddLease(const std::string& id, int group_size,
                int64_t min_policy_version = 0) {
    Lease lease;
    lease.mutable_prompt()->set_id(id);
    lease.mutable_prompt()->set_text("prompt of " + id);
    lease.mutable_occurrence()->set_stage("rl");
    lease.mutable_occurrence()->set_prompt_id(id);
    lease.mutable_sampling()->set_group_size(group_size);
    lease.set_min_policy_version(min_policy_version);
    absl::MutexLock lock(&mu_);
    leases_.push_back(std::move(lease));
  }

  void Publish(int64_t version, std::vector<WeightShard> shards) {
    absl::MutexLock lock(&mu_);
    version_ = version;
    shards_ = std::move(shards);
  }
  void Publish(int64_t version) {
    Publish(version, MakeShards(version, "12345678", 3));
  }

  void Finish() {
    absl::MutexLock lock(&mu_);
    finished_ = true;
  }
  // While set, streams end at once; Stop of a server waits for them.
  void EndStreams(bool end) {
    absl::MutexLock lock(&mu_);
    streams_end_ = end;
  }
  void LoseReplies(int count) {
    absl::MutexLock lock(&mu_);
    lose_replies_ = count;
  }
  void CallStale(const std::string& group_id) {
    absl::MutexLock lock(&mu_);
    stale_[group_id] = true;
  }
  void RefuseLeases(grpc::Status status) {
    absl::MutexLock lock(&mu_);
    lease_status_ = std::move(status);
  }

  // Waits until `count` groups are stored.
  bool WaitForGroups(size_t count) {
    absl::MutexLock lock(&mu_);
    const auto stored = [&] { return groups_.size() >= count; };
    return mu_.AwaitWithTimeout(absl::Condition(&stored), absl::Seconds(30));
  }
  bool WaitForSubmits(const std::string& group_id, int count) {
    absl::MutexLock lock(&mu_);
    const auto submitted = [&] { return submits_[group_id] >= count; };
    return mu_.AwaitWithTimeout(absl::Condition(&submitted), absl::Seconds(30));
  }
  std::map<std::string, Group> groups() const {
    absl::MutexLock lock(&mu_);
    return groups_;
  }
  int submits(const std::string& group_id) const {
    absl::MutexLock lock(&mu_);
    const auto found = submits_.find(group_id);
    return found == submits_.end() ? 0 : found->second;
  }
  int32_t most_asked() const {
    absl::MutexLock lock(&mu_);
    return most_asked_;
  }
  int64_t have_version() const {
    absl::MutexLock lock(&mu_);
    return have_version_;
  }

 private:
  bool HasLeases() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return !leases_.empty() || finished_;
  }

  mutable absl::Mutex mu_;
  std::deque<Lease> leases_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, Group> groups_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, int> submits_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, bool> stale_ ABSL_GUARDED_BY(mu_);
  std::vector<WeightShard> shards_ ABSL_GUARDED_BY(mu_);
  grpc::Status lease_status_ ABSL_GUARDED_BY(mu_);
  int64_t version_ ABSL_GUARDED_BY(mu_) = -1;
  int64_t have_version_ ABSL_GUARDED_BY(mu_) = -2;
  int streams_ ABSL_GUARDED_BY(mu_) = 0;
  int lose_replies_ ABSL_GUARDED_BY(mu_) = 0;
  int32_t most_asked_ ABSL_GUARDED_BY(mu_) = 0;
  bool streams_end_ ABSL_GUARDED_BY(mu_) = false;
  bool finished_ ABSL_GUARDED_BY(mu_) = false;
};

// Thread-safe. Score: the length of the completion.
class FakeRewards : public Rewards::Service {
 public:
  grpc::Status Grade(grpc::ServerContext*, const GradeRequest* request,
                     GradeResponse* response) override {
    absl::MutexLock lock(&mu_);
    ++calls_;
    if (!failures_.empty()) {
      const grpc::Status failure = failures_.front();
      failures_.pop_front();
      return failure;
    }
    for (const std::string& completion : request->completions()) {
      ::cohort::Grade* const grade = response->add_grades();
      grade->set_verdict(VERDICT_CORRECT);
      grade->set_score(static_cast<double>(completion.size()));
    }
    return grpc::Status::OK;
  }

  void FailNext(grpc::Status failure) {
    absl::MutexLock lock(&mu_);
    failures_.push_back(std::move(failure));
  }
  int calls() const {
    absl::MutexLock lock(&mu_);
    return calls_;
  }

 private:
  mutable absl::Mutex mu_;
  std::deque<grpc::Status> failures_ ABSL_GUARDED_BY(mu_);
  int calls_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace cohort
