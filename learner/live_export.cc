#include "learner/live_export.h"

#include <sys/stat.h>

#include <limits>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "proto/rows.h"
#include "proto/status.h"

namespace cohort {
namespace {

// A state in the middle of an advance would make the next one begin it again.
constexpr int64_t kNoStateBetween = std::numeric_limits<int64_t>::max();

absl::StatusOr<std::string> KeyOf(const Config& config) {
  return ExportKey(config.sink, absl::StrCat("live ", config.run.dir));
}

// Nothing that somebody else wrote is cut off.
absl::Status CheckOurs(const std::string& path, const std::string& key) {
  struct stat about = {};
  if (stat(path.c_str(), &about) != 0 || about.st_size == 0 ||
      ExportFile::Knows(path, key)) {
    return absl::OkStatus();
  }
  return absl::AlreadyExistsError(
      absl::StrCat("export.file: ", path,
                   " exists, and is not this run's with these filters; "
                   "move it away"));
}

}  // namespace

absl::Status LiveExport::Check(const Config& config) {
  if (config.sink.file.empty()) return absl::OkStatus();
  COHORT_ASSIGN_OR_RETURN(const std::string key, KeyOf(config));
  COHORT_RETURN_IF_ERROR(CheckOurs(config.sink.file, key));
  return ExportFilter::Create(config.sink).status();
}

absl::StatusOr<std::unique_ptr<LiveExport>> LiveExport::Open(
    const Config& config, const std::string& store, int64_t step) {
  const std::string& path = config.sink.file;
  if (path.empty()) return nullptr;
  COHORT_ASSIGN_OR_RETURN(const std::string key, KeyOf(config));
  COHORT_RETURN_IF_ERROR(CheckOurs(path, key));
  COHORT_ASSIGN_OR_RETURN(auto reader, StoreReader::Open(store));
  COHORT_ASSIGN_OR_RETURN(ExportFile file, ExportFile::Open(path, key));
  if (file.progress().step > step) {
    return absl::FailedPreconditionError(
        absl::StrCat("export.file: ", path, " holds completions up to step ",
                     file.progress().step, ", the run stands at step ", step,
                     "; move it away"));
  }
  std::unique_ptr<LiveExport> live(new LiveExport(path, std::move(reader)));
  COHORT_ASSIGN_OR_RETURN(
      live->exporter_, Exporter::Create(config, config.sink, live->store_.get(),
                                        std::move(file)));
  COHORT_RETURN_IF_ERROR(live->Advance(step));
  return live;
}

absl::Status LiveExport::Advance(int64_t step) {
  COHORT_ASSIGN_OR_RETURN(
      const std::vector<int64_t> groups,
      store_->List({.stage = "",
                    .after_step = exporter_->progress().step,
                    .to_step = step}));
  COHORT_RETURN_IF_ERROR(exporter_->Export(groups, kNoStateBetween));
  COHORT_RETURN_IF_ERROR(exporter_->Save(step));
  return WriteFileAtomically(file_ + ".manifest.json", exporter_->Manifest());
}

}  // namespace cohort
