// Metrics for machines: one JSON object per optimizer step in metrics.jsonl,
// and the same numbers in TensorBoard's event files. Names: see the README.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "learner/tensorboard_events.h"

namespace cohort {

// The metrics of one optimizer step, in the order they were set.
class MetricsRow {
 public:
  MetricsRow(int64_t step, std::string stage, int64_t policy_version);

  // A name set twice keeps its place and takes the new value. NaN and
  // infinities become null in JSON.
  void Set(std::string_view name, double value);

  int64_t step() const { return step_; }
  const std::string& stage() const { return stage_; }
  const std::vector<std::pair<std::string, double>>& values() const {
    return values_;
  }
  std::string ToJson() const;  // One line, without the line end.

 private:
  int64_t step_;
  std::string stage_;
  int64_t policy_version_;
  std::vector<std::pair<std::string, double>> values_;
};

// Single-threaded.
class MetricsWriter {
 public:
  // Appends to `jsonl_path`, and to a new event file in `tensorboard_dir`
  // (empty: none). Rows of `first_step` and later, which an earlier life of the
  // run wrote after its last checkpoint, are taken out first.
  static absl::StatusOr<std::unique_ptr<MetricsWriter>> Open(
      const std::string& jsonl_path, const std::string& tensorboard_dir,
      int64_t first_step);

  ~MetricsWriter();
  MetricsWriter(const MetricsWriter&) = delete;
  MetricsWriter& operator=(const MetricsWriter&) = delete;

  // One write per file: a reader sees whole lines.
  absl::Status Write(const MetricsRow& row);

 private:
  MetricsWriter(int fd, std::string path);

  const int fd_;
  const std::string path_;
  std::unique_ptr<TensorBoardEvents> events_;  // Null where none are asked for.
};

// Keeps the lines of a metrics.jsonl whose step is at most `last_step`; also
// takes out a last line that a crash left unfinished. No file is no error.
absl::Status TruncateMetrics(const std::string& path, int64_t last_step);

}  // namespace cohort
