// The file tree that every run sees: a small tmpfs with read-only binds of the
// runtimes.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proto/descriptor.h"

namespace cohort {

struct RootTree {
  // Bound at the same path, read-only; links are copied as links and what is
  // missing is left out.
  std::vector<std::string> mounts;
  // Written as files of /.cohort: {name, content}.
  std::vector<std::pair<std::string, std::string>> written_files;
};

// Makes the tree the root of this process, in a mount namespace of its own, and
// leaves the machine's behind for good. Returns a folder that shows in the tree
// as /.cohort/shared, and that only its holder can write.
// Needs CAP_SYS_ADMIN in the user namespace of this process.
absl::StatusOr<Descriptor> EnterRootTree(const RootTree& tree);

}  // namespace cohort
