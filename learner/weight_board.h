// The newest published weights, for all workers to read.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "proto/learner.pb.h"

namespace cohort {

// One version, cut into shards with their checksums filled in.
struct PublishedWeights {
  int64_t version = 0;
  std::vector<WeightShard> shards;
};

// Thread-safe. Holds one version: a reader that is slow skips those between.
class WeightBoard {
 public:
  // `weights` is shared by the board and the streams that are sending it; the
  // last of them frees it. Requires a version above the last one's.
  void Publish(std::shared_ptr<const PublishedWeights> weights);

  // The newest version published; -1 before the first.
  int64_t newest_version() const;

  // Waits up to `timeout` for weights newer than `have_version`. Null when none
  // came, or once closed.
  std::shared_ptr<const PublishedWeights> WaitForNewer(int64_t have_version,
                                                       absl::Duration timeout);

  // The end: nobody waits any more.
  void Close();
  bool closed() const;

 private:
  mutable absl::Mutex mu_;
  std::shared_ptr<const PublishedWeights> newest_ ABSL_GUARDED_BY(mu_);
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace cohort
