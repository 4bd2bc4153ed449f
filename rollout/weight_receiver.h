// New policy versions from the learner's stream. A version is handed on whole
// and verified, or not at all. No tensors here: bytes in, bytes out.
#pragma once

#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "proto/learner.grpc.pb.h"

namespace cohort {

// One complete version.
struct WeightSet {
  int64_t version = -1;
  std::vector<TensorInfo> tensors;
  std::string bytes;  // The tensors' values, one after another.
};

// "F32" 4, "BF16" 2; 0 for any other name.
int64_t BytesPerValue(const std::string& dtype);

// Puts the shards of one stream together.
class WeightAssembler {
 public:
  // `expected`: names and shapes that every version must have, in this order.
  explicit WeightAssembler(std::vector<TensorInfo> expected)
      : expected_(std::move(expected)) {}

  // Takes the next shard. Returns the version that it completes, else null.
  //   kDataLoss            torn, out of order or corrupted: read the stream
  //   anew kFailedPrecondition  weights of another model
  // After an error only a shard 0 is accepted.
  absl::StatusOr<std::unique_ptr<WeightSet>> Add(const WeightShard& shard);

 private:
  absl::Status Begin(const WeightShard& shard);
  absl::Status CheckTensors(const WeightShard& shard) const;
  absl::Status Append(const WeightShard& shard);

  std::vector<TensorInfo> expected_;
  std::unique_ptr<WeightSet> building_;  // Null between two versions.
  int32_t next_index_ = 0;
  int32_t count_ = 0;
  uint64_t total_bytes_ = 0;
  uint64_t total_checksum_ = 0;
  std::vector<uint64_t> checksums_;
};

// Thread-safe. Holds two versions at most: one under assembly, one to be taken.
class WeightReceiver {
 public:
  // `stub` must outlive the receiver.
  WeightReceiver(Learner::StubInterface* stub, std::string run_id,
                 std::string worker, std::vector<TensorInfo> expected);

  // Keeps a stream open, and opens it again when it breaks, until `stop`.
  void Run(const std::stop_token& stop);

  // The newest version received and not yet taken, else null.
  //   kFailedPrecondition  the learner's weights, or its run, are not ours; Run
  //                        has ended
  absl::StatusOr<std::unique_ptr<WeightSet>> Take();

  // Blocks until Take would give something or `timeout` has passed.
  void WaitForNew(absl::Duration timeout);

 private:
  absl::Status ReadStream(const std::stop_token& stop);
  int64_t NewestReceived() const;
  bool HasNews() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return ready_ != nullptr || !fatal_.ok();
  }

  Learner::StubInterface* const stub_;
  const std::string run_id_;
  const std::string worker_;
  const std::vector<TensorInfo> expected_;
  mutable absl::Mutex mu_;
  std::unique_ptr<WeightSet> ready_ ABSL_GUARDED_BY(mu_);
  absl::Status fatal_ ABSL_GUARDED_BY(mu_);
  int64_t newest_ ABSL_GUARDED_BY(mu_) = -1;  // Received, taken or not.
  // Of the open stream, to break it; null between two streams.
  grpc::ClientContext* context_ ABSL_GUARDED_BY(mu_) = nullptr;
};

}  // namespace cohort
