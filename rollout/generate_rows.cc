#include "rollout/generate_rows.h"

#include <limits>

#include "absl/status/status.h"
#include "nlohmann/json.hpp"

namespace cohort {
namespace {

using Json = nlohmann::ordered_json;

std::string ReadIds(const Json& ids, std::vector<int32_t>* out) {
  if (!ids.is_array()) return "ids is not a list";
  for (const Json& id : ids) {
    if (!id.is_number_integer() || id.get<int64_t>() < 0 ||
        id.get<int64_t>() > std::numeric_limits<int32_t>::max()) {
      return "ids holds something that is no token";
    }
    out->push_back(id.get<int32_t>());
  }
  return out->empty() ? "ids is empty" : "";
}

// Bytes that are not UTF-8 become U+FFFD.
std::string Dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

absl::StatusOr<GenerateRow> ParseGenerateRow(std::string_view line,
                                             const std::string& default_id) {
  const Json json = Json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) {
    return absl::InvalidArgumentError("not a JSON object");
  }
  GenerateRow row;
  row.id = Dump(json.value("id", Json(default_id)));
  if (json.contains("ids")) {
    row.has_ids = true;
    row.flaw = ReadIds(json["ids"], &row.ids);
  } else if (json.contains("prompt") && json["prompt"].is_string()) {
    row.text = json["prompt"].get<std::string>();
  } else if (json.contains("messages")) {
    if (json["messages"].is_array() && !json["messages"].empty()) {
      row.chat = std::string(line);
    } else {
      row.flaw = "messages is not a list, or is empty";
    }
  } else {
    row.flaw = "neither prompt, messages nor ids";
  }
  return row;
}

std::string PrintCompletions(const GenerateRow& row, const Group& group,
                             bool with_text) {
  Json json;
  json["id"] = Json::parse(row.id);
  if (!row.flaw.empty()) {
    json["error"] = row.flaw;
    return Dump(json);
  }
  json["completions"] = Json::array();
  for (const Trajectory& trajectory : group.trajectories()) {
    Json completion;
    completion["text"] = with_text ? Json(trajectory.text()) : Json();
    completion["ids"] = std::vector<int32_t>(trajectory.tokens().begin(),
                                             trajectory.tokens().end());
    completion["logprobs"] =
        std::vector<float>(trajectory.sampler_logprobs().begin(),
                           trajectory.sampler_logprobs().end());
    completion["finish_reason"] =
        trajectory.finish_reason() == FINISH_REASON_STOP ? "stop" : "length";
    json["completions"].push_back(std::move(completion));
  }
  return Dump(json);
}

}  // namespace cohort
