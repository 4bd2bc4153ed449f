#include "learner/inspect_verb.h"

#include <algorithm>
#include <cstdio>
#include <functional>
#include <map>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "configs/config.h"
#include "learner/advantage.h"
#include "learner/experience_store.h"
#include "learner/run_dir.h"
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

// The largest first; groups that are equal stay in the order of the store.
using SortKey = std::function<double(const GroupRow&, const Group&)>;
const std::map<std::string, SortKey>& SortKeys() {
  static const auto* const keys = new std::map<std::string, SortKey>{
      {"order", [](const GroupRow&, const Group&) { return 0.0; }},
      {"reward", [](const GroupRow&,
                    const Group& group) { return MeanOf(group, Reward); }},
      {"length", [](const GroupRow&,
                    const Group& group) { return MeanOf(group, Length); }},
      {"spread",
       [](const GroupRow&, const Group& group) { return Spread(group); }},
      {"step",
       [](const GroupRow& row, const Group&) {
         return static_cast<double>(row.trained_at_step);
       }},
      {"version", [](const GroupRow& row, const Group&) {
         return static_cast<double>(row.policy_version);
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

// Line ends and other control characters would break the table.
std::string OneLine(const std::string& text) {
  std::string line;
  for (const char c : text) {
    if (c == '\n') {
      line += "\\n";
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      absl::StrAppendFormat(&line, "\\x%02x", static_cast<unsigned char>(c));
    } else {
      line += c;
    }
  }
  return line;
}

void AppendGroup(const GroupRow& row, const Group& group, AdvantageNorm norm,
                 std::string* text) {
  absl::StrAppend(text, "group ", row.group_id, "  ", row.state);
  if (row.trained_at_step >= 0) {
    absl::StrAppend(text, " at step ", row.trained_at_step);
  }
  absl::StrAppend(text, "  policy ", row.policy_version, "\n  prompt  ",
                  OneLine(group.prompt().text()), "\n");
  if (!group.prompt().answer().empty()) {
    absl::StrAppend(text, "  answer  ", OneLine(group.prompt().answer()), "\n");
  }
  const GroupLesson lesson = LessonOf(group, norm);
  absl::StrAppendFormat(text, "  %2s %7s %9s %-12s %6s %6s %6s  %s\n", "#",
                        "reward", "advantage", "verdict", "score", "format",
                        "tokens", "completion");
  for (int member = 0; member < group.trajectories_size(); ++member) {
    const Trajectory& trajectory = group.trajectories(member);
    const auto place =
        std::find(lesson.members.begin(), lesson.members.end(), member);
    const std::string advantage =
        place == lesson.members.end()
            ? "-"
            : absl::StrFormat("%+.4f", lesson.advantages[static_cast<size_t>(
                                           place - lesson.members.begin())]);
    absl::StrAppendFormat(
        text, "  %2d %7.4f %9s %-12s %6.3f %6.3f %6d  %s%s\n", member,
        trajectory.reward(), advantage,
        absl::string_view(VerdictName(trajectory.grade().verdict()).data(),
                          VerdictName(trajectory.grade().verdict()).size()),
        trajectory.grade().score(), trajectory.grade().format(),
        trajectory.tokens_size(), OneLine(trajectory.text()),
        trajectory.finish_reason() == FINISH_REASON_LENGTH ? " [cut]" : "");
    if (!trajectory.grade().reason().empty()) {
      absl::StrAppend(text, "     ", OneLine(trajectory.grade().reason()),
                      "\n");
    }
  }
}

bool HasVerdict(const Group& group, Verdict verdict) {
  return std::any_of(group.trajectories().begin(), group.trajectories().end(),
                     [verdict](const Trajectory& trajectory) {
                       return trajectory.grade().verdict() == verdict;
                     });
}

}  // namespace

absl::StatusOr<std::string> Inspect(const InspectFlags& flags) {
  COHORT_ASSIGN_OR_RETURN(const SortKey key, FindSortKey(flags.sort));
  const Verdict verdict = ParseVerdict(flags.verdict);
  if (!flags.verdict.empty() && verdict == VERDICT_UNSPECIFIED) {
    return absl::InvalidArgumentError(
        absl::StrCat("--verdict ", flags.verdict, ": no such verdict"));
  }
  COHORT_ASSIGN_OR_RETURN(const RunDir dir, RunDir::OpenToRead(flags.run_dir));
  COHORT_ASSIGN_OR_RETURN(const Config config, LoadConfig(dir.config(), {}));
  COHORT_ASSIGN_OR_RETURN(const auto store,
                          ExperienceStore::OpenReadOnly(dir.store()));
  COHORT_ASSIGN_OR_RETURN(
      const std::vector<GroupRow> rows,
      store->List({.step = flags.step, .state = "", .stage = flags.stage}));

  std::vector<Shown> found;
  for (const GroupRow& row : rows) {
    if (row.state == "leased") continue;
    const std::vector<std::string> id = {row.group_id};
    absl::StatusOr<std::vector<Group>> group = store->Load(id);
    // Old groups keep their row alone.
    if (absl::IsNotFound(group.status())) continue;
    COHORT_RETURN_IF_ERROR(group.status());
    if (verdict != VERDICT_UNSPECIFIED &&
        !HasVerdict(group->front(), verdict)) {
      continue;
    }
    // The contents are read again for those shown: a store may be larger than
    // the memory.
    found.push_back({.row = row, .key = key(row, group->front())});
  }
  std::stable_sort(
      found.begin(), found.end(),
      [](const Shown& a, const Shown& b) { return a.key > b.key; });
  const size_t count = std::min(found.size(), static_cast<size_t>(flags.limit));
  std::string text;
  for (size_t i = 0; i < count; ++i) {
    COHORT_ASSIGN_OR_RETURN(const AdvantageNorm norm,
                            NormOf(config, found[i].row.stage));
    const std::vector<std::string> id = {found[i].row.group_id};
    COHORT_ASSIGN_OR_RETURN(const std::vector<Group> group, store->Load(id));
    AppendGroup(found[i].row, group.front(), norm, &text);
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
  parser.Flag("sort", &flags.sort, "KEY",
              "largest first: reward, spread, length, step or version; order: "
              "as they came");
  parser.Flag("limit", &flags.limit, "N", "groups shown");
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
