#include "learner/exporter.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "configs/config_text.h"
#include "nlohmann/json.hpp"
#include "proto/rows.h"
#include "proto/status.h"

namespace cohort {
namespace {

// Rows of another form get another number, so that no export is continued in
// two forms.
constexpr char kForm[] = "cohort export 1";
constexpr size_t kBatchGroups = 32;

std::string Hex(XXH128_hash_t hash) {
  return absl::StrCat(absl::Hex(hash.high64, absl::kZeroPad16),
                      absl::Hex(hash.low64, absl::kZeroPad16));
}

std::string HexOf(std::string_view text) {
  return Hex(XXH3_128bits(text.data(), text.size()));
}

}  // namespace

absl::StatusOr<std::string> ExportKey(const ExportConfig& config,
                                      const std::string& more) {
  std::string text = absl::StrCat(kForm, "\n", more, "\n");
  for (const FieldText& field : FieldTexts(config)) {
    if (field.key == "file") continue;
    absl::StrAppend(&text, field.key, " ", field.text, "\n");
  }
  for (const std::string& file : config.decontaminate) {
    COHORT_ASSIGN_OR_RETURN(const std::string content, ReadFile(file));
    absl::StrAppend(&text, HexOf(content), "\n");
  }
  return HexOf(text);
}

Exporter::Exporter(const ExportConfig& settings, const StoreReader* store,
                   ExportFile file, ExportFilter filter, ExportRows rows)
    : settings_(settings),
      store_(store),
      file_(std::move(file)),
      filter_(std::move(filter)),
      rows_(std::move(rows)),
      progress_(file_.progress()) {}

absl::StatusOr<std::unique_ptr<Exporter>> Exporter::Create(
    const Config& config, const ExportConfig& settings,
    const StoreReader* store, ExportFile file) {
  COHORT_ASSIGN_OR_RETURN(ExportFilter filter, ExportFilter::Create(settings));
  std::unique_ptr<Exporter> exporter(
      new Exporter(settings, store, std::move(file), std::move(filter),
                   ExportRows(config, settings.token_ids)));
  if (!exporter->progress_.counts.empty() &&
      !exporter->filter_.Restore(exporter->progress_.counts)) {
    return absl::DataLossError(
        absl::StrCat(exporter->file_.path(), ".state cannot be read"));
  }
  for (const SeenCompletion& seen : exporter->file_.seen()) {
    exporter->filter_.Restore(seen);
  }
  exporter->file_.ForgetSeen();
  return exporter;
}

absl::Status Exporter::Export(absl::Span<const int64_t> numbers,
                              int64_t save_bytes) {
  COHORT_ASSIGN_OR_RETURN(auto hashes, store_->WeightHashes());
  rows_.SetWeightHashes(std::move(hashes));
  for (size_t begin = 0; begin < numbers.size(); begin += kBatchGroups) {
    COHORT_RETURN_IF_ERROR(
        store_->Load(numbers.subspan(begin, kBatchGroups), &batch_));
    for (const Group& group : batch_) {
      if (!group.id().empty()) ExportGroup(group);
    }
    progress_.groups += static_cast<int64_t>(batch_.size());
    COHORT_RETURN_IF_ERROR(file_.Drain());
    if (file_.unsaved_bytes() >= save_bytes) {
      COHORT_RETURN_IF_ERROR(Save(progress_.step));
    }
  }
  return absl::OkStatus();
}

void Exporter::ExportGroup(const Group& group) {
  filter_.BeginGroup(group);
  rows_.BeginGroup(group, filter_.pass_rate());
  for (int member = 0; member < group.trajectories_size(); ++member) {
    if (!filter_.Keeps(group.trajectories(member))) continue;
    ++progress_.rows;
    if (!rows_.Append(member, file_.rows())) ++progress_.mended;
    if (filter_.Remembers()) file_.AddSeen(filter_.last_kept());
  }
}

absl::Status Exporter::Save(int64_t step) {
  progress_.step = step;
  progress_.counts = filter_.SaveCounts();
  return file_.Save(progress_);
}

std::string Exporter::Manifest() const {
  using Json = nlohmann::ordered_json;
  Json filters = Json::array();
  int64_t left = filter_.read();
  for (size_t i = 0; i < kFilters; ++i) {
    const Filter filter = static_cast<Filter>(i);
    if (!filter_.IsOn(filter)) continue;
    left -= filter_.dropped(filter);
    filters.push_back({{"filter", FilterName(filter)},
                       {"dropped", filter_.dropped(filter)},
                       {"left", left}});
  }
  Json settings = Json::object();
  for (const FieldText& field : FieldTexts(settings_)) {
    if (field.key != "file") settings[field.key] = field.text;
  }
  const Json manifest = {{"form", kForm},
                         {"groups", progress_.groups},
                         {"completions", filter_.read()},
                         {"filters", filters},
                         {"rows", progress_.rows},
                         {"rows_with_bytes_replaced", progress_.mended},
                         {"test_runs", filter_.tests()},
                         {"settings", settings}};
  return manifest.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string Exporter::Summary() const {
  std::string text =
      absl::StrCat("exported ", progress_.rows, " of ", filter_.read(),
                   " completions of ", progress_.groups, " groups");
  for (size_t i = 0; i < kFilters; ++i) {
    const Filter filter = static_cast<Filter>(i);
    if (!filter_.IsOn(filter)) continue;
    absl::StrAppend(&text, ", ", std::string(FilterName(filter)), " dropped ",
                    filter_.dropped(filter));
  }
  return text;
}

}  // namespace cohort
