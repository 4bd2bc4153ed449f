#include "learner/state_json.h"

#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"

namespace cohort {
namespace {

using Json = nlohmann::ordered_json;

// One list of the fields, for reading and for writing.
template <typename Visitor>
void VisitEvaluation(Visitor& visit, Evaluation& evaluation) {
  visit("greedy", evaluation.greedy);
  visit("sampled", evaluation.sampled);
  visit("greedy_tokens", evaluation.greedy_tokens);
  visit("sampled_tokens", evaluation.sampled_tokens);
}

template <typename Visitor>
void VisitCompletion(Visitor& visit, CompletionPair& pair) {
  visit("prompt", pair.prompt);
  visit("answer", pair.answer);
  visit("before", pair.before);
  visit("after", pair.after);
}

template <typename Visitor>
void VisitState(Visitor& visit, TrainerState& state) {
  visit("step", state.step);
  visit("policy_version", state.policy_version);
  visit("stage", state.stage);
  visit("stage_step", state.stage_step);
  visit("prompt_cursor", state.prompt_cursor);
  visit("optimizer_steps", state.optimizer_steps);
  visit("best_step", state.best_step);
  visit("best_score", state.best_score);
  visit("stage_ends", state.stage_ends);
  RunSummary& totals = state.totals;
  visit("skipped_steps", totals.skipped_steps);
  visit("sampled_tokens", totals.sampled_tokens);
  visit("trained_tokens", totals.trained_tokens);
  visit("groups_trained", totals.groups_trained);
  visit("groups_dropped", totals.groups_dropped);
  visit("service_restarts", totals.service_restarts);
  visit("wall_s", totals.wall_s);
  visit("cpu_s", totals.cpu_s);
  // Checkpoints of an earlier version have none.
  if (visit.Has("gpu_s")) visit("gpu_s", totals.gpu_s);
  visit("time_s", totals.time_s);
  visit("before", totals.before);
  visit("after", totals.after);
  visit("completions", totals.completions);
}

struct Writer {
  Json json = Json::object();

  bool Has(const char*) const { return true; }

  template <typename T>
  void operator()(const char* name, const T& value) {
    json[name] = value;
  }
  void operator()(const char* name,
                  const std::vector<std::pair<std::string, double>>& value) {
    json[name] = Json::object();
    for (const auto& [key, number] : value) json[name][key] = number;
  }
  void operator()(const char* name, Evaluation& value) {
    Writer inner;
    VisitEvaluation(inner, value);
    json[name] = std::move(inner.json);
  }
  void operator()(const char* name, std::vector<CompletionPair>& value) {
    json[name] = Json::array();
    for (CompletionPair& pair : value) {
      Writer inner;
      VisitCompletion(inner, pair);
      json[name].push_back(std::move(inner.json));
    }
  }
};

// Remembers the first field that is missing or of another type.
struct Reader {
  const Json& json;
  std::string* bad;

  bool Has(const char* name) const { return json.contains(name); }

  const Json* Find(const char* name, bool (Json::*is_right)() const) {
    const auto found = json.find(name);
    if (found != json.end() && ((*found).*is_right)()) return &*found;
    if (bad->empty()) *bad = name;
    return nullptr;
  }

  void operator()(const char* name, int64_t& value) {
    const Json* found = Find(name, &Json::is_number_integer);
    if (found != nullptr) value = found->get<int64_t>();
  }
  void operator()(const char* name, std::string& value) {
    const Json* found = Find(name, &Json::is_string);
    if (found != nullptr) value = found->get<std::string>();
  }
  // JSON has no NaN and no infinity: they are written as null.
  void operator()(const char* name, double& value) {
    if (json.contains(name) && json[name].is_null()) return;
    const Json* found = Find(name, &Json::is_number);
    if (found != nullptr) value = found->get<double>();
  }
  void operator()(const char* name, std::vector<int64_t>& value) {
    const Json* found = Find(name, &Json::is_array);
    if (found == nullptr) return;
    for (const Json& entry : *found) {
      if (!entry.is_number_integer())
        *bad = name;
      else
        value.push_back(entry.get<int64_t>());
    }
  }
  void operator()(const char* name,
                  std::vector<std::pair<std::string, double>>& value) {
    const Json* found = Find(name, &Json::is_object);
    if (found == nullptr) return;
    for (const auto& [key, number] : found->items()) {
      if (!number.is_number())
        *bad = name;
      else
        value.emplace_back(key, number.get<double>());
    }
  }
  void operator()(const char* name, Evaluation& value) {
    const Json* found = Find(name, &Json::is_object);
    if (found == nullptr) return;
    Reader inner{*found, bad};
    VisitEvaluation(inner, value);
  }
  void operator()(const char* name, std::vector<CompletionPair>& value) {
    const Json* found = Find(name, &Json::is_array);
    if (found == nullptr) return;
    for (const Json& entry : *found) {
      Reader inner{entry, bad};
      VisitCompletion(inner, value.emplace_back());
    }
  }
};

}  // namespace

std::string PrintState(const TrainerState& state) {
  TrainerState copy = state;
  Writer writer;
  VisitState(writer, copy);
  return writer.json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

absl::StatusOr<TrainerState> ParseState(const std::string& json,
                                        const std::string& name) {
  TrainerState state;
  const Json parsed = Json::parse(json, nullptr, /*allow_exceptions=*/false);
  if (!parsed.is_object()) {
    return absl::DataLossError(absl::StrCat(name, ": not a JSON object"));
  }
  std::string bad;
  Reader reader{parsed, &bad};
  VisitState(reader, state);
  if (!bad.empty()) {
    return absl::DataLossError(
        absl::StrCat(name, ": '", bad, "' is missing or of another type"));
  }
  return state;
}

}  // namespace cohort
