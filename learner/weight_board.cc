#include "learner/weight_board.h"

#include <utility>

#include "proto/check.h"

namespace cohort {

void WeightBoard::Publish(std::shared_ptr<const PublishedWeights> weights) {
  absl::MutexLock lock(&mu_);
  COHORT_CHECK(newest_ == nullptr || weights->version > newest_->version);
  newest_ = std::move(weights);
}

int64_t WeightBoard::newest_version() const {
  absl::MutexLock lock(&mu_);
  return newest_ == nullptr ? -1 : newest_->version;
}

std::shared_ptr<const PublishedWeights> WeightBoard::WaitForNewer(
    int64_t have_version, absl::Duration timeout) {
  absl::MutexLock lock(&mu_);
  const auto has_news = [this, have_version]() ABSL_SHARED_LOCKS_REQUIRED(mu_) {
    return closed_ || (newest_ != nullptr && newest_->version > have_version);
  };
  mu_.AwaitWithTimeout(absl::Condition(&has_news), timeout);
  if (closed_ || newest_ == nullptr || newest_->version <= have_version) {
    return nullptr;
  }
  return newest_;
}

void WeightBoard::Close() {
  absl::MutexLock lock(&mu_);
  closed_ = true;
}

bool WeightBoard::closed() const {
  absl::MutexLock lock(&mu_);
  return closed_;
}

}  // namespace cohort
