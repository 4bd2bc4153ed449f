#include "learner/metrics.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "learner/whole_write.h"
#include "nlohmann/json.hpp"
#include "proto/rows.h"
#include "proto/status.h"

namespace cohort {

MetricsRow::MetricsRow(int64_t step, std::string stage, int64_t policy_version)
    : step_(step), stage_(std::move(stage)), policy_version_(policy_version) {}

void MetricsRow::Set(std::string_view name, double value) {
  for (auto& [known, known_value] : values_) {
    if (known != name) continue;
    known_value = value;
    return;
  }
  values_.emplace_back(name, value);
}

std::string MetricsRow::ToJson() const {
  nlohmann::ordered_json json = {
      {"step", step_}, {"stage", stage_}, {"policy_version", policy_version_}};
  // A double prints in the fewest digits that read back as itself; NaN and
  // infinities, for which JSON has no word, print as null.
  for (const auto& [name, value] : values_) json[name] = value;
  return json.dump();
}

absl::StatusOr<std::unique_ptr<MetricsWriter>> MetricsWriter::Open(
    const std::string& jsonl_path, const std::string& tensorboard_dir,
    int64_t first_step) {
  COHORT_RETURN_IF_ERROR(TruncateMetrics(jsonl_path, first_step - 1));
  const int fd =
      open(jsonl_path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (fd < 0) {
    return absl::ErrnoToStatus(errno,
                               absl::StrCat(jsonl_path, ": cannot open"));
  }
  auto writer =
      std::unique_ptr<MetricsWriter>(new MetricsWriter(fd, jsonl_path));
  if (!tensorboard_dir.empty()) {
    COHORT_ASSIGN_OR_RETURN(
        writer->events_,
        TensorBoardEvents::Open(tensorboard_dir, first_step, absl::Now()));
  }
  return writer;
}

MetricsWriter::MetricsWriter(int fd, std::string path)
    : fd_(fd), path_(std::move(path)) {}

MetricsWriter::~MetricsWriter() { close(fd_); }

absl::Status MetricsWriter::Write(const MetricsRow& row) {
  COHORT_RETURN_IF_ERROR(
      WriteWhole(fd_, absl::StrCat(row.ToJson(), "\n"), path_));
  if (events_ == nullptr) return absl::OkStatus();
  return events_->Write(row.step(), absl::Now(), row.values());
}

absl::Status TruncateMetrics(const std::string& path, int64_t last_step) {
  const absl::StatusOr<std::string> content = ReadFile(path);
  if (absl::IsNotFound(content.status())) return absl::OkStatus();
  COHORT_RETURN_IF_ERROR(content.status());
  std::string kept;
  for (const absl::string_view line : absl::StrSplit(*content, '\n')) {
    const nlohmann::json json =
        nlohmann::json::parse(line.begin(), line.end(), nullptr, false);
    if (!json.is_object() || !json.contains("step") ||
        !json["step"].is_number_integer() || json["step"] > last_step) {
      continue;
    }
    absl::StrAppend(&kept, line, "\n");
  }
  if (kept == *content) return absl::OkStatus();
  return WriteFileAtomically(path, kept);
}

}  // namespace cohort
