#include "rollout/weight_receiver.h"

#include <algorithm>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "proto/log.h"
#include "proto/rpc.h"
#include "proto/status.h"
#include "xxhash.h"

namespace cohort {
namespace {

constexpr absl::Duration kFirstBackoff = absl::Milliseconds(50);
constexpr absl::Duration kMaxBackoff = absl::Seconds(2);

uint64_t BytesOf(const TensorInfo& tensor) {
  auto bytes = static_cast<uint64_t>(BytesPerValue(tensor.dtype()));
  for (const int64_t size : tensor.shape())
    bytes *= static_cast<uint64_t>(size);
  return bytes;
}

std::string Shape(const TensorInfo& tensor) {
  return absl::StrCat("[", absl::StrJoin(tensor.shape(), ", "), "]");
}

absl::Status Torn(const WeightShard& shard, absl::string_view what) {
  return absl::DataLossError(absl::StrCat("weights of version ",
                                          shard.version(), ", shard ",
                                          shard.index(), ": ", what));
}

}  // namespace

int64_t BytesPerValue(const std::string& dtype) {
  if (dtype == "F32") return 4;
  if (dtype == "BF16") return 2;
  return 0;
}

absl::StatusOr<std::unique_ptr<WeightSet>> WeightAssembler::Add(
    const WeightShard& shard) {
  absl::Status status = absl::OkStatus();
  if (shard.index() == 0) status = Begin(shard);
  if (status.ok()) status = Append(shard);
  if (!status.ok()) {
    building_ = nullptr;
    return status;
  }
  if (next_index_ < count_) return nullptr;
  return std::move(building_);
}

// A shard 0 where another was due drops what was there: the learner went on to
// a newer version.
absl::Status WeightAssembler::Begin(const WeightShard& shard) {
  building_ = nullptr;
  if (shard.count() < 1) return Torn(shard, "count is not positive");
  COHORT_RETURN_IF_ERROR(CheckTensors(shard));
  building_ = std::make_unique<WeightSet>();
  building_->version = shard.version();
  building_->tensors.assign(shard.tensors().begin(), shard.tensors().end());
  next_index_ = 0;
  count_ = shard.count();
  total_bytes_ = shard.total_bytes();
  total_checksum_ = shard.total_checksum();
  checksums_.clear();
  building_->bytes.reserve(total_bytes_);
  return absl::OkStatus();
}

absl::Status WeightAssembler::CheckTensors(const WeightShard& shard) const {
  const auto foreign = [&](absl::string_view what) {
    return absl::FailedPreconditionError(
        absl::StrCat("weights of version ", shard.version(),
                     " are of another model: ", what));
  };
  if (shard.tensors_size() != static_cast<int>(expected_.size())) {
    return foreign(absl::StrCat(shard.tensors_size(), " tensors, ours has ",
                                expected_.size()));
  }
  uint64_t bytes = 0;
  for (int i = 0; i < shard.tensors_size(); ++i) {
    const TensorInfo& tensor = shard.tensors(i);
    const TensorInfo& ours = expected_[static_cast<size_t>(i)];
    if (tensor.name() != ours.name()) {
      return foreign(absl::StrCat("tensor ", i, " is ", tensor.name(),
                                  ", ours is ", ours.name()));
    }
    if (!std::equal(tensor.shape().begin(), tensor.shape().end(),
                    ours.shape().begin(), ours.shape().end())) {
      return foreign(absl::StrCat(tensor.name(), " is ", Shape(tensor),
                                  ", ours is ", Shape(ours)));
    }
    if (BytesPerValue(tensor.dtype()) == 0) {
      return foreign(
          absl::StrCat(tensor.name(), " is of dtype ", tensor.dtype()));
    }
    bytes += BytesOf(tensor);
  }
  if (bytes != shard.total_bytes()) {
    return Torn(shard, absl::StrCat("total_bytes is ", shard.total_bytes(),
                                    ", the tensors take ", bytes));
  }
  return absl::OkStatus();
}

absl::Status WeightAssembler::Append(const WeightShard& shard) {
  if (building_ == nullptr) return Torn(shard, "no shard 0 before it");
  if (shard.version() != building_->version || shard.index() != next_index_ ||
      shard.count() != count_ || shard.total_checksum() != total_checksum_ ||
      shard.total_bytes() != total_bytes_ ||
      shard.offset() != building_->bytes.size()) {
    return Torn(shard, absl::StrCat("not the continuation of version ",
                                    building_->version, ", due was shard ",
                                    next_index_, " of ", count_));
  }
  if (shard.data().size() > total_bytes_ - building_->bytes.size()) {
    return Torn(shard, "more bytes than announced");
  }
  if (XXH3_64bits(shard.data().data(), shard.data().size()) !=
      shard.checksum()) {
    return Torn(shard, "checksum does not match");
  }
  building_->bytes.append(shard.data());
  checksums_.push_back(shard.checksum());
  if (++next_index_ < count_) return absl::OkStatus();
  if (building_->bytes.size() != total_bytes_) {
    return Torn(shard, absl::StrCat("ends after ", building_->bytes.size(),
                                    " of ", total_bytes_, " bytes"));
  }
  if (XXH3_64bits(checksums_.data(), checksums_.size() * sizeof(uint64_t)) !=
      total_checksum_) {
    return Torn(shard, "checksum of all shards does not match");
  }
  return absl::OkStatus();
}

WeightReceiver::WeightReceiver(Learner::StubInterface* stub, std::string run_id,
                               std::string worker,
                               std::vector<TensorInfo> expected)
    : stub_(stub),
      run_id_(std::move(run_id)),
      worker_(std::move(worker)),
      expected_(std::move(expected)) {}

void WeightReceiver::Run(const std::stop_token& stop) {
  const std::stop_callback break_stream(stop, [this] {
    absl::MutexLock lock(&mu_);
    if (context_ != nullptr) context_->TryCancel();
  });
  absl::Duration backoff = kFirstBackoff;
  while (!stop.stop_requested()) {
    const int64_t had = NewestReceived();
    const absl::Status status = ReadStream(stop);
    if (stop.stop_requested()) return;
    if (absl::IsFailedPrecondition(status)) {
      absl::MutexLock lock(&mu_);
      fatal_ = status;
      return;
    }
    if (NewestReceived() != had) backoff = kFirstBackoff;
    if (absl::IsDataLoss(status)) {
      COHORT_LOG(WARNING) << status.message() << ": reading the stream anew";
    } else if (backoff == kFirstBackoff && IsRetryable(status)) {
      COHORT_LOG(INFO) << "weight stream broke, opening it again status="
                       << status.ToString();
    }
    {
      // Ends at once when stopped: then a news-less wait would be too long.
      absl::MutexLock lock(&mu_);
      const auto stopped = [&stop] { return stop.stop_requested(); };
      mu_.AwaitWithTimeout(absl::Condition(&stopped), backoff);
    }
    backoff = std::min(backoff * 2, kMaxBackoff);
  }
}

absl::Status WeightReceiver::ReadStream(const std::stop_token& stop) {
  grpc::ClientContext context;
  {
    absl::MutexLock lock(&mu_);
    context_ = &context;
  }
  const absl::Cleanup forget = [this] {
    absl::MutexLock lock(&mu_);
    context_ = nullptr;
  };
  if (stop.stop_requested()) return absl::CancelledError("stopped");

  StreamWeightsRequest request;
  request.set_run_id(run_id_);
  request.set_worker(worker_);
  request.set_have_version(NewestReceived());
  const std::unique_ptr<grpc::ClientReaderInterface<WeightShard>> reader =
      stub_->StreamWeights(&context, request);
  WeightAssembler assembler(expected_);
  WeightShard shard;
  while (reader->Read(&shard)) {
    absl::StatusOr<std::unique_ptr<WeightSet>> weights = assembler.Add(shard);
    if (!weights.ok()) {
      context.TryCancel();
      while (reader->Read(&shard)) {
      }
      reader->Finish().ok();
      return weights.status();
    }
    if (*weights == nullptr) continue;
    absl::MutexLock lock(&mu_);
    newest_ = (*weights)->version;
    ready_ = *std::move(weights);
  }
  return FromGrpcStatus(reader->Finish());
}

absl::StatusOr<std::unique_ptr<WeightSet>> WeightReceiver::Take() {
  absl::MutexLock lock(&mu_);
  COHORT_RETURN_IF_ERROR(fatal_);
  return std::move(ready_);
}

void WeightReceiver::WaitForNew(absl::Duration timeout) {
  absl::MutexLock lock(&mu_);
  mu_.AwaitWithTimeout(absl::Condition(this, &WeightReceiver::HasNews),
                       timeout);
}

int64_t WeightReceiver::NewestReceived() const {
  absl::MutexLock lock(&mu_);
  return newest_;
}

}  // namespace cohort
