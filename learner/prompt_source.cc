#include "learner/prompt_source.h"

#include <algorithm>
#include <numeric>
#include <unordered_map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"
#include "proto/check.h"
#include "proto/log.h"
#include "proto/rows.h"
#include "proto/status.h"

namespace cohort {
namespace {

// SplitMix64's finaliser (Steele et al., 2014): every input bit moves every
// output bit.
uint64_t Mix(uint64_t x) {
  x += 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

// See TokenizePrompt. `field`: where the row has its messages.
std::string ChatRequest(const Prompt& prompt, const std::string& field) {
  if (prompt.messages().empty()) return "";
  if (field == "messages") return prompt.row_json();
  auto row = nlohmann::ordered_json::parse(prompt.row_json());
  nlohmann::ordered_json messages = std::move(row[field]);
  row["messages"] = std::move(messages);
  return row.dump();
}

// FNV-1a, which is the same on every machine, unlike std::hash.
uint64_t HashText(std::string_view text, uint64_t hash = 0xcbf29ce484222325) {
  for (const char c : text) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  }
  return hash;
}

std::string HashIds(const PromptSet& set) {
  uint64_t hash = HashText("");
  for (const Prompt& prompt : set.prompts) {
    hash = HashText("\n", HashText(prompt.id(), hash));
  }
  return absl::StrCat(absl::Hex(hash, absl::kZeroPad16));
}

// The order of `size` prompts in one epoch: sorted by a hash of their place.
std::vector<int64_t> DrawOrder(int64_t size, uint64_t key) {
  std::vector<std::pair<uint64_t, int64_t>> keyed(static_cast<size_t>(size));
  for (int64_t i = 0; i < size; ++i) {
    keyed[static_cast<size_t>(i)] = {Mix(key ^ Mix(static_cast<uint64_t>(i))),
                                     i};
  }
  std::sort(keyed.begin(), keyed.end());
  std::vector<int64_t> order;
  order.reserve(keyed.size());
  for (const auto& [hash, i] : keyed) order.push_back(i);
  return order;
}

absl::StatusOr<PromptSet> LoadSet(const PromptSetConfig& config,
                                  const PromptLoading& loading) {
  const absl::StatusOr<PromptFields> fields = MapFields(config.fields);
  if (!fields.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat(config.file, ": ", fields.status().message()));
  }
  COHORT_ASSIGN_OR_RETURN(std::vector<Prompt> prompts,
                          ReadPrompts(config.file, *fields, config.verifier));
  const int64_t limit = config.max_prompt_tokens > 0
                            ? config.max_prompt_tokens
                            : loading.max_prompt_tokens;
  PromptSet set{.file = config.file, .weight = config.weight, .prompts = {}};
  for (Prompt& prompt : prompts) {
    if (prompt.verifier().empty()) {
      return absl::InvalidArgumentError(absl::StrCat(
          config.file, ": prompt ", prompt.id(), " names no verifier"));
    }
    prompt.set_format(loading.format);
    if (prompt.verifier() == "math" && prompt.math_policy().empty()) {
      prompt.set_math_policy(loading.math_policy);
    }
    if (loading.tokenize) {
      const absl::Status status =
          loading.tokenize(ChatRequest(prompt, fields->messages), &prompt);
      if (!status.ok()) {
        return absl::Status(status.code(),
                            absl::StrCat(config.file, ": prompt ", prompt.id(),
                                         ": ", status.message()));
      }
      if (limit > 0 && prompt.tokens_size() > limit) {
        ++set.dropped_too_long;
        continue;
      }
    }
    set.prompts.push_back(std::move(prompt));
  }
  if (set.prompts.empty()) {
    return absl::InvalidArgumentError(
        set.dropped_too_long == 0
            ? absl::StrCat(config.file, ": no prompts")
            : absl::StrCat(config.file, ": all ", set.dropped_too_long,
                           " prompts are longer than ", limit, " tokens"));
  }
  if (set.dropped_too_long > 0) {
    COHORT_LOG(WARNING) << "prompts dropped as too long file=" << config.file
                        << " dropped=" << set.dropped_too_long
                        << " kept=" << set.prompts.size()
                        << " max_prompt_tokens=" << limit;
  }
  return set;
}

}  // namespace

absl::StatusOr<std::vector<PromptSet>> LoadPromptSets(
    const std::vector<PromptSetConfig>& configs, const PromptLoading& loading) {
  std::vector<PromptSet> sets;
  std::unordered_map<std::string, std::string> file_of_id;
  for (const PromptSetConfig& config : configs) {
    COHORT_ASSIGN_OR_RETURN(PromptSet set, LoadSet(config, loading));
    for (const Prompt& prompt : set.prompts) {
      const auto [first, is_new] = file_of_id.emplace(prompt.id(), config.file);
      if (!is_new) {
        return absl::InvalidArgumentError(
            absl::StrCat(config.file, ": prompt id ", prompt.id(),
                         " stands in ", first->second, " too"));
      }
    }
    sets.push_back(std::move(set));
  }
  return sets;
}

std::string GroupId(const Occurrence& occurrence) {
  return absl::StrCat(occurrence.stage(), "/", occurrence.prompt_id(), "/",
                      occurrence.occurrence());
}

PromptSource::PromptSource(std::vector<PromptSet> sets, uint64_t run_seed,
                           std::string stage)
    : sets_(std::move(sets)),
      run_seed_(run_seed),
      stage_(std::move(stage)),
      cursors_(sets_.size()) {
  COHORT_CHECK(!sets_.empty());
  COHORT_CHECK(stage_.find('/') == std::string::npos);
  for (const PromptSet& set : sets_) {
    COHORT_CHECK(!set.prompts.empty());
    COHORT_CHECK(set.weight > 0);
  }
}

size_t PromptSource::NextSet() const {
  double weights = 0;
  for (const PromptSet& set : sets_) weights += set.weight;
  const double after = static_cast<double>(taken() + 1);
  size_t furthest_behind = 0;
  double largest = 0;
  for (size_t i = 0; i < sets_.size(); ++i) {
    const double behind = sets_[i].weight / weights * after -
                          static_cast<double>(cursors_[i].taken);
    if (i == 0 || behind > largest) {
      largest = behind;
      furthest_behind = i;
    }
  }
  return furthest_behind;
}

std::vector<SourcedPrompt> PromptSource::Take(int n) {
  std::vector<SourcedPrompt> result;
  result.reserve(static_cast<size_t>(n));
  for (int i = 0; i < n; ++i) {
    const size_t index = NextSet();
    const PromptSet& set = sets_[index];
    Cursor& cursor = cursors_[index];
    const int64_t size = static_cast<int64_t>(set.prompts.size());
    const int64_t epoch = cursor.taken / size;
    if (cursor.epoch != epoch) {
      const uint64_t stream = HashText(stage_, Mix(run_seed_) ^ index);
      cursor.order =
          DrawOrder(size, Mix(stream ^ Mix(static_cast<uint64_t>(epoch))));
      cursor.epoch = epoch;
    }
    const int64_t place =
        cursor.order[static_cast<size_t>(cursor.taken % size)];
    ++cursor.taken;

    SourcedPrompt taken{.prompt = set.prompts[static_cast<size_t>(place)],
                        .occurrence = {}};
    taken.occurrence.set_stage(stage_);
    taken.occurrence.set_prompt_id(taken.prompt.id());
    // Every epoch takes every prompt once.
    taken.occurrence.set_occurrence(epoch);
    result.push_back(std::move(taken));
  }
  return result;
}

int64_t PromptSource::taken() const {
  return std::accumulate(
      cursors_.begin(), cursors_.end(), int64_t{0},
      [](int64_t sum, const Cursor& cursor) { return sum + cursor.taken; });
}

std::string PromptSource::SaveState() const {
  nlohmann::ordered_json sets = nlohmann::ordered_json::array();
  for (size_t i = 0; i < sets_.size(); ++i) {
    sets.push_back({{"file", sets_[i].file},
                    {"prompts", sets_[i].prompts.size()},
                    {"ids", HashIds(sets_[i])},
                    {"taken", cursors_[i].taken}});
  }
  return nlohmann::ordered_json{{"stage", stage_}, {"sets", sets}}.dump();
}

absl::Status PromptSource::RestoreState(std::string_view state) {
  const nlohmann::json json = nlohmann::json::parse(state, nullptr, false);
  if (json.is_discarded() || !json.is_object() || !json.contains("sets") ||
      !json["sets"].is_array()) {
    return absl::InvalidArgumentError("prompt source: not a saved state");
  }
  if (json["sets"].size() != sets_.size()) {
    return absl::FailedPreconditionError(
        absl::StrCat("prompt source: saved with ", json["sets"].size(),
                     " prompt files, now there are ", sets_.size()));
  }
  std::vector<int64_t> taken;
  for (size_t i = 0; i < sets_.size(); ++i) {
    const nlohmann::json& saved = json["sets"][i];
    if (!saved.is_object() || !saved.contains("taken") ||
        !saved["taken"].is_number_unsigned() || !saved.contains("ids") ||
        !saved["ids"].is_string()) {
      return absl::InvalidArgumentError("prompt source: not a saved state");
    }
    if (saved["ids"].get<std::string>() != HashIds(sets_[i])) {
      return absl::FailedPreconditionError(absl::StrCat(
          sets_[i].file, ": not the prompts that the run began with"));
    }
    taken.push_back(saved["taken"].get<int64_t>());
  }
  for (size_t i = 0; i < sets_.size(); ++i) {
    cursors_[i] = Cursor{.taken = taken[i], .epoch = -1, .order = {}};
  }
  return absl::OkStatus();
}

}  // namespace cohort
