// The verb `export`: the completions of a run as rows to learn from.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "configs/export_config.h"

namespace cohort {

struct ExportFlags {
  std::string run_dir;
  std::string output;      // .jsonl or .parquet
  std::string stage;       // Empty: all.
  int64_t from_step = -1;  // Trained or dropped at this step or later; -1: any.
  int64_t to_step = -1;    // ... or before; -1: any, and what still waits.
  ExportConfig filters;
  int64_t save_bytes = 64 << 20;  // Rows between two states to go on from.
};

// Writes `output` and `<output>.manifest.json`, whole or not at all. Until then
// `<output>.partial` and its two companions grow; the same call, made again
// after a kill, goes on from them. Returns one line for people.
//   kNotFound            no run in the folder, or a file of tests is missing
//   kFailedPrecondition  another export writes the file
absl::StatusOr<std::string> Export(const ExportFlags& flags);

int ExportVerb(const std::vector<std::string>& args);

}  // namespace cohort
