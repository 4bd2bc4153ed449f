// Whole small files of a model's folder.
#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace cohort {

// kNotFound, naming the path, when the file cannot be opened.
absl::StatusOr<std::string> ReadTextFile(const std::string& path);

// Replaces what was there; not atomic.
absl::Status WriteTextFile(const std::string& path, const std::string& text);

}  // namespace cohort
