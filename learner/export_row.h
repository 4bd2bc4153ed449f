// One exported completion: a row of chat messages with where it came from.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "configs/config.h"
#include "proto/parquet.h"
#include "proto/types.pb.h"

namespace cohort {

// Appends rows to a text, as JSON lines. The field `messages` is what TRL's
// SFTTrainer and `cohort sft` train on; all others are ours, and none has a
// name that TRL gives a meaning. Single-threaded.
class ExportRows {
 public:
  ExportRows(const Config& config, bool token_ids);

  // Policy version -> hash; a version that is not there has none in the rows.
  void SetWeightHashes(std::map<int64_t, std::string> hashes) {
    weight_hashes_ = std::move(hashes);
  }

  // The group whose completions follow; must outlive them.
  void BeginGroup(const Group& group, double pass_rate);

  // Bytes that are no UTF-8 become U+FFFD; returns whether there were none.
  bool Append(int member, std::string* out) const;

  std::vector<ParquetColumn> Columns() const;

 private:
  std::map<std::string, std::string> sampling_;  // By stage, as JSON.
  std::map<int64_t, std::string> weight_hashes_;
  const bool token_ids_;
  const Group* group_ = nullptr;
  std::string before_;  // Of every row of the group: the prompt's messages.
  std::string behind_;  // The rest of what its rows have in common.
};

}  // namespace cohort
