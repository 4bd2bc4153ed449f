// The verb `inspect`: looks at the groups of a run, also while it runs.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace cohort {

struct InspectFlags {
  std::string run_dir;
  int64_t step = -1;    // Trained or dropped at this step; -1: any.
  std::string stage;    // Empty: all.
  std::string verdict;  // Groups with such a completion; empty: any.
  std::string group;    // This one alone; empty: any.
  std::string sort = "order";
  int limit = 5;
  std::string color = "auto";  // In a terminal; or always, never.
};

// What `inspect` prints.
//   kNotFound         no run in the folder, no such group
//   kInvalidArgument  an unknown verdict or sort key
absl::StatusOr<std::string> Inspect(const InspectFlags& flags);

int InspectVerb(const std::vector<std::string>& args);

}  // namespace cohort
