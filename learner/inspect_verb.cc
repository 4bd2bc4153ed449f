#include "learner/inspect_verb.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "configs/config.h"
#include "learner/advantage.h"
#include "learner/experience_store.h"
#include "learner/inspect_text.h"
#include "learner/run_dir.h"
#include "model/tokenizer.h"
#include "proto/flags.h"
#include "proto/rows.h"
#include "proto/status.h"

namespace cohort {
namespace {

struct Shown {
  GroupRow row;
  double key = 0;  // To sort by.
};

// Mean of `value` over the trajectories.
double MeanOf(const Group& group,
              const std::function<double(const Trajectory&)>& value) {
  double sum = 0;
  for (const Trajectory& trajectory : group.trajectories()) {
    sum += value(trajectory);
  }
  return group.trajectories().empty() ? 0 : sum / group.trajectories_size();
}

double Reward(const Trajectory& trajectory) { return trajectory.reward(); }
double Length(const Trajectory& trajectory) { return trajectory.tokens_size(); }

double Spread(const Group& group) {
  const double mean = MeanOf(group, Reward);
  return MeanOf(group, [mean](const Trajectory& trajectory) {
    return (trajectory.reward() - mean) * (trajectory.reward() - mean);
  });
}

// A group as it is looked at.
struct Seen {
  const GroupRow& row;
  const Group& group;
  AdvantageNorm norm;
  const std::vector<double>& mismatches;  // See GroupPrinter.
};

double LargestAdvantage(const Seen& seen) {
  double largest = 0;
  for (const double advantage : LessonOf(seen.group, seen.norm).advantages) {
    largest = std::max(largest, std::abs(advantage));
  }
  return largest;
}

double LargestMismatch(const Seen& seen) {
  double largest = -1;  // Behind all that are known.
  for (const double nats : seen.mismatches) largest = std::max(largest, nats);
  return largest;
}

// The largest first; groups that are equal stay in the order of the store.
using SortKey = std::function<double(const Seen&)>;
const std::map<std::string, SortKey>& SortKeys() {
  static const auto* const keys = new std::map<std::string, SortKey>{
      {"order", [](const Seen&) { return 0.0; }},
      {"advantage", LargestAdvantage},
      {"mismatch", LargestMismatch},
      {"reward", [](const Seen& seen) { return MeanOf(seen.group, Reward); }},
      {"length", [](const Seen& seen) { return MeanOf(seen.group, Length); }},
      {"spread", [](const Seen& seen) { return Spread(seen.group); }},
      {"step",
       [](const Seen& seen) {
         return static_cast<double>(seen.row.trained_at_step);
       }},
      {"version", [](const Seen& seen) {
         return static_cast<double>(seen.row.policy_version);
       }}};
  return *keys;
}

absl::StatusOr<SortKey> FindSortKey(const std::string& name) {
  const auto key = SortKeys().find(name);
  if (key != SortKeys().end()) return key->second;
  return absl::InvalidArgumentError(absl::StrCat(
      "--sort ", name, ": none of ",
      absl::StrJoin(SortKeys(), ", ", [](std::string* out, const auto& entry) {
        out->append(entry.first);
      })));
}

// The norm that a stage's advantages were taken with.
absl::StatusOr<AdvantageNorm> NormOf(const Config& config,
                                     const std::string& stage) {
  for (const StageConfig& candidate : config.stages) {
    if (candidate.name == stage) {
      return ParseAdvantageNorm(candidate.learner.advantage);
    }
  }
  return ParseAdvantageNorm(config.learner.advantage);
}

bool HasVerdict(const Group& group, Verdict verdict) {
  return std::any_of(group.trajectories().begin(), group.trajectories().end(),
                     [verdict](const Trajectory& trajectory) {
                       return trajectory.grade().verdict() == verdict;
                     });
}

absl::StatusOr<Group> LoadOne(const ExperienceStore& store,
                              const std::string& id) {
  const std::vector<std::string> ids = {id};
  COHORT_ASSIGN_OR_RETURN(std::vector<Group> groups, store.Load(ids));
  return std::move(groups.front());
}

// Those that the flags ask for, sorted. The contents are read again for those
// shown: a store may be larger than the memory.
absl::StatusOr<std::vector<Shown>> FindGroups(const InspectFlags& flags,
                                              const SortKey& key,
                                              const Config& config,
                                              const ExperienceStore& store) {
  COHORT_ASSIGN_OR_RETURN(
      const std::vector<GroupRow> rows,
      store.List({.step = flags.step, .state = "", .stage = flags.stage}));
  const Verdict verdict = ParseVerdict(flags.verdict);
  std::vector<Shown> found;
  for (const GroupRow& row : rows) {
    if (row.state == "leased") continue;
    if (!flags.group.empty() && row.group_id != flags.group) continue;
    const absl::StatusOr<Group> group = LoadOne(store, row.group_id);
    // Old groups keep their row alone.
    if (absl::IsNotFound(group.status())) continue;
    COHORT_RETURN_IF_ERROR(group.status());
    if (verdict != VERDICT_UNSPECIFIED && !HasVerdict(*group, verdict)) {
      continue;
    }
    COHORT_ASSIGN_OR_RETURN(const AdvantageNorm norm,
                            NormOf(config, row.stage));
    COHORT_ASSIGN_OR_RETURN(const std::vector<double> mismatches,
                            store.MismatchesOf(row.group_id));
    found.push_back({.row = row,
                     .key = key({.row = row,
                                 .group = *group,
                                 .norm = norm,
                                 .mismatches = mismatches})});
  }
  if (found.empty() && !flags.group.empty()) {
    return absl::NotFoundError(
        absl::StrCat("--group ", flags.group, ": ", store.path(),
                     " has no such group, or no contents of it any more"));
  }
  std::stable_sort(
      found.begin(), found.end(),
      [](const Shown& a, const Shown& b) { return a.key > b.key; });
  return found;
}

absl::StatusOr<bool> WantsColor(const std::string& when) {
  if (when == "always") return true;
  if (when == "never") return false;
  if (when == "auto") return isatty(STDOUT_FILENO) != 0;
  return absl::InvalidArgumentError(
      absl::StrCat("--color ", when, ": none of auto, always, never"));
}

// The run's own; null where it cannot be read (any more).
std::unique_ptr<Tokenizer> TokenizerOf(const Config& config,
                                       const RunDir& dir) {
  if (config.model.tokenizer == "bytes") return Tokenizer::Bytes();
  for (const std::string& folder :
       {dir.checkpoints() + "/latest", config.model.checkpoint}) {
    absl::StatusOr<std::unique_ptr<Tokenizer>> loaded = Tokenizer::Load(folder);
    if (loaded.ok()) return *std::move(loaded);
  }
  return nullptr;
}

}  // namespace

absl::StatusOr<std::string> Inspect(const InspectFlags& flags) {
  COHORT_ASSIGN_OR_RETURN(const SortKey key, FindSortKey(flags.sort));
  const Verdict verdict = ParseVerdict(flags.verdict);
  if (!flags.verdict.empty() && verdict == VERDICT_UNSPECIFIED) {
    return absl::InvalidArgumentError(
        absl::StrCat("--verdict ", flags.verdict, ": no such verdict"));
  }
  COHORT_ASSIGN_OR_RETURN(const bool color, WantsColor(flags.color));
  COHORT_ASSIGN_OR_RETURN(const RunDir dir, RunDir::OpenToRead(flags.run_dir));
  COHORT_ASSIGN_OR_RETURN(const Config config, LoadConfig(dir.config(), {}));
  COHORT_ASSIGN_OR_RETURN(const auto store,
                          ExperienceStore::OpenReadOnly(dir.store()));
  COHORT_ASSIGN_OR_RETURN(const std::vector<Shown> found,
                          FindGroups(flags, key, config, *store));
  const size_t count = std::min(found.size(), static_cast<size_t>(flags.limit));
  const GroupPrinter printer(color, color ? TokenizerOf(config, dir) : nullptr);
  std::string text = printer.Legend();
  for (size_t i = 0; i < count; ++i) {
    const GroupRow& row = found[i].row;
    COHORT_ASSIGN_OR_RETURN(const AdvantageNorm norm,
                            NormOf(config, row.stage));
    COHORT_ASSIGN_OR_RETURN(const Group group, LoadOne(*store, row.group_id));
    COHORT_ASSIGN_OR_RETURN(const std::vector<double> mismatches,
                            store->MismatchesOf(row.group_id));
    printer.Append(row, group, norm, mismatches, &text);
    text += "\n";
  }
  absl::StrAppend(&text, count, " of ", found.size(), " groups shown\n");
  return text;
}

int InspectVerb(const std::vector<std::string>& args) {
  InspectFlags flags;
  FlagParser parser("inspect", "Shows the groups of a run.");
  parser.Positional("RUN_DIR", &flags.run_dir, "folder of the run");
  parser.Flag("step", &flags.step, "N",
              "only groups trained on or dropped at this step");
  parser.Flag("stage", &flags.stage, "NAME", "only groups of this stage");
  parser.Flag("verdict", &flags.verdict, "V",
              "only groups with such a completion (correct, wrong, ...)");
  parser.Flag("group", &flags.group, "ID", "only this group, all its siblings");
  parser.Flag("sort", &flags.sort, "KEY",
              "largest first: advantage, mismatch, reward, spread, length, "
              "step or version; order: as they came");
  parser.Flag("limit", &flags.limit, "N", "groups shown");
  parser.Flag("color", &flags.color, "WHEN",
              "tokens by the probability they were sampled with: auto (in a "
              "terminal), always or never");
  if (const std::optional<int> exit = parser.Parse(args)) return *exit;
  if (flags.limit < 0) {
    std::fprintf(stderr, "cohort: --limit %d: must not be negative\n",
                 flags.limit);
    return kExitWrongCall;
  }
  const absl::StatusOr<std::string> text = Inspect(flags);
  if (text.ok()) std::fwrite(text->data(), 1, text->size(), stdout);
  return ExitCode(text.status());
}

}  // namespace cohort
