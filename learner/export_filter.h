// Which completions of a store are exported, and how many each filter left out.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "configs/export_config.h"
#include "learner/decontamination.h"
#include "learner/near_duplicates.h"
#include "proto/types.pb.h"

namespace cohort {

// In the order in which they work: the cheap ones first, and those that
// remember what was kept last.
enum class Filter : uint8_t {
  kCorrect,
  kLength,
  kPassRate,
  kLanguage,
  kParagraph,
  kCode,
  kDecontamination,
  kExactDuplicate,
  kNearDuplicate,
  kPerPrompt,
};
inline constexpr size_t kFilters = 10;

// "correct", ...: as in the manifest.
std::string_view FilterName(Filter filter);

// Share of correct completions among those that have a grade; 0 without any.
double PassRateOf(const Group& group);

// Single-threaded.
class ExportFilter {
 public:
  // See Decontamination::Load for errors.
  static absl::StatusOr<ExportFilter> Create(const ExportConfig& config);

  // The group whose completions follow; must outlive them.
  void BeginGroup(const Group& group);

  // Whether the completion is exported; then it is remembered.
  bool Keeps(const Trajectory& trajectory);

  bool IsOn(Filter filter) const;
  int64_t read() const { return read_; }  // Completions looked at.
  int64_t dropped(Filter filter) const {
    return dropped_[static_cast<size_t>(filter)];
  }
  double pass_rate() const { return pass_rate_; }  // Of the group.
  int64_t tests() const { return tests_.size(); }

  // What to save, and where to go on: the counts, and every completion that
  // was kept, in order, as Remembers() tells.
  std::vector<int64_t> SaveCounts() const;
  // False: not what SaveCounts gave.
  bool Restore(const std::vector<int64_t>& counts);
  void Restore(const SeenCompletion& kept) { seen_.Add(kept); }
  bool Remembers() const;
  const SeenCompletion& last_kept() const { return current_; }

 private:
  explicit ExportFilter(const ExportConfig& config) : config_(config) {}

  // The first filter that leaves the completion out; kFilters if none does.
  size_t FirstAgainst(const Trajectory& trajectory);
  bool FitsByText(const Trajectory& trajectory, Filter filter) const;
  bool IsContaminated(const Trajectory& trajectory);
  size_t FirstAgainstSeen(const Trajectory& trajectory);

  ExportConfig config_;
  Decontamination tests_;
  SeenCompletions seen_;
  int64_t read_ = 0;
  std::array<int64_t, kFilters> dropped_ = {};

  const Group* group_ = nullptr;
  double pass_rate_ = 0;
  bool prompt_is_contaminated_ = false;
  SeenCompletion current_;
  std::vector<uint64_t> words_;  // Of the completion at hand.
  bool has_words_ = false;
};

}  // namespace cohort
