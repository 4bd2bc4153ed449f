// Completions of a store -> rows of a file, through the filters.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "configs/config.h"
#include "learner/export_file.h"
#include "learner/export_filter.h"
#include "learner/export_row.h"
#include "learner/store_reader.h"

namespace cohort {

// Stands for the filters' settings and the tests they look for, as 32
// hexadecimal digits; `more` is whatever else the rows depend on.
//   kNotFound  a file of tests is missing
absl::StatusOr<std::string> ExportKey(const ExportConfig& config,
                                      const std::string& more);

// Single-threaded.
class Exporter {
 public:
  // Rows of `config`'s run go through the filters of `settings` to `file`, and
  // on from where it stands.
  static absl::StatusOr<std::unique_ptr<Exporter>> Create(
      const Config& config, const ExportConfig& settings,
      const StoreReader* store, ExportFile file);

  // Exports the groups `numbers`, which StoreReader::List gave, and saves
  // whenever another `save_bytes` of rows have come. Counts the groups in
  // progress().groups.
  absl::Status Export(absl::Span<const int64_t> numbers, int64_t save_bytes);

  // Everything so far is on the disk, up to `step` of a live export.
  absl::Status Save(int64_t step);

  // What was done, for machines: settings, and the counts at every filter.
  std::string Manifest() const;
  // The same in one line for people.
  std::string Summary() const;

  const ExportProgress& progress() const { return progress_; }
  std::vector<ParquetColumn> Columns() const { return rows_.Columns(); }
  ExportFile* file() { return &file_; }

 private:
  Exporter(const ExportConfig& settings, const StoreReader* store,
           ExportFile file, ExportFilter filter, ExportRows rows);

  void ExportGroup(const Group& group);

  const ExportConfig settings_;
  const StoreReader* const store_;
  ExportFile file_;
  ExportFilter filter_;
  ExportRows rows_;
  ExportProgress progress_;
  std::vector<Group> batch_;
};

}  // namespace cohort
