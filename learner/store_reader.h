// The graded groups of an experience store, read in bulk by their place in it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "proto/types.pb.h"

struct sqlite3;

namespace cohort {

// Which groups to list; those for evaluation never are.
struct GroupRange {
  std::string stage;        // Empty: all.
  int64_t after_step = -1;  // Trained or dropped after this step, ...
  int64_t to_step = -1;     // ... up to this; -1: also those that still wait.
};

// Single-threaded. A connection of its own, beside a learner at work.
class StoreReader {
 public:
  // See ExperienceStore::OpenReadOnly.
  static absl::StatusOr<std::unique_ptr<StoreReader>> Open(
      const std::string& path);

  ~StoreReader();
  StoreReader(const StoreReader&) = delete;
  StoreReader& operator=(const StoreReader&) = delete;

  // The groups with contents, by the step that closed them (those that wait
  // come last), then stage, prompt and occurrence: an order that does not
  // depend on who delivered what when.
  absl::StatusOr<std::vector<int64_t>> List(const GroupRange& range) const;

  // Reads the groups `numbers` of List into `groups`. One whose contents were
  // dropped meanwhile is left empty, without an id.
  //   kDataLoss  one cannot be read
  absl::Status Load(absl::Span<const int64_t> numbers,
                    std::vector<Group>* groups) const;

  // Changes when groups come, are trained on or dropped: numbers for a key.
  absl::StatusOr<std::vector<int64_t>> Fingerprint() const;

  // Policy version -> hash of the weights that were published as it.
  absl::StatusOr<std::map<int64_t, std::string>> WeightHashes() const;

 private:
  struct CloseDatabase {
    void operator()(sqlite3* db) const;
  };

  StoreReader(std::string path, sqlite3* db);
  absl::Status Error(const std::string& what) const;

  const std::string path_;
  const std::unique_ptr<sqlite3, CloseDatabase> db_;
};

}  // namespace cohort
