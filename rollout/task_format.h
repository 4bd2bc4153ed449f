// How the task files of `cohort eval` become prompts: an adapter per published
// format, in task_formats.yaml, or one of the user's own.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace cohort {

struct TaskFormat {
  std::string name;
  std::map<std::string, std::string> fields;  // Ours -> the file's own.
  std::string verifier;                       // For rows that name none.
  std::string prompt;  // Jinja over the row; empty: its prompt field.
  std::vector<std::string> stop;
};

// task_formats.yaml, as it stands in the binary.
extern const std::string_view kTaskFormatsYaml;

// Reads a list of formats, or a single one.
//   kInvalidArgument  "<name>:<line>: ...": unknown key, wrong type
absl::StatusOr<std::vector<TaskFormat>> ParseTaskFormats(
    const std::string& yaml, const std::string& name);

// The format of that name, or the one in a file whose name ends in ".yaml".
//   kNotFound         no such file, or no such format: names the nearest
//   kInvalidArgument  as above, or a file with more than one
absl::StatusOr<TaskFormat> FindTaskFormat(const std::string& name_or_file);

}  // namespace cohort
