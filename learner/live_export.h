// The export that grows while a run goes on (the config's section `export`).
//
// At every checkpoint the groups that were trained on or dropped since the last
// one are exported, in the order of steps. Never before the checkpoint: what a
// crash takes back is not in the file yet, and what is in it stays. A resumed
// run goes on where the file ends.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "configs/config.h"
#include "learner/exporter.h"
#include "learner/store_reader.h"

namespace cohort {

// Single-threaded.
class LiveExport {
 public:
  // Whether Open can work, before anything is made.
  //   kAlreadyExists  the file is another run's, or was filtered otherwise
  //   kNotFound       a file of tests is missing
  static absl::Status Check(const Config& config);

  // For a run that stands at step `step`, whose store is at `store`; what a
  // crash kept from being exported is exported now. Null where config.sink
  // names no file.
  //   kAlreadyExists, kNotFound  see Check
  //   kFailedPrecondition        it holds steps that this run has not made
  static absl::StatusOr<std::unique_ptr<LiveExport>> Open(
      const Config& config, const std::string& store, int64_t step);

  // Exports what was closed up to `step`, and writes the manifest. Returns when
  // it is on the disk.
  absl::Status Advance(int64_t step);

 private:
  LiveExport(std::string file, std::unique_ptr<StoreReader> store)
      : file_(std::move(file)), store_(std::move(store)) {}

  const std::string file_;
  const std::unique_ptr<StoreReader> store_;
  std::unique_ptr<Exporter> exporter_;
};

}  // namespace cohort
