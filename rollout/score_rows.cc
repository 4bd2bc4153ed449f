#include "rollout/score_rows.h"

#include "nlohmann/json.hpp"
#include "proto/status.h"
#include "rollout/generate_rows.h"

namespace cohort {

using Json = nlohmann::ordered_json;

absl::StatusOr<ScoreRow> ParseScoreRow(std::string_view line,
                                       const std::string& place) {
  COHORT_ASSIGN_OR_RETURN(GenerateRow read, ParseGenerateRow(line, place));
  ScoreRow row;
  const Json id = Json::parse(read.id);
  row.id = std::move(read.id);
  row.name = id.is_string() ? id.get<std::string>() : row.id;
  row.flaw = read.has_ids ? std::move(read.flaw) : "no ids";
  row.ids = std::move(read.ids);
  return row;
}

std::string PrintScore(const ScoreRow& row,
                       const std::vector<float>& logprobs) {
  Json json;
  json["id"] = Json::parse(row.id);
  if (row.flaw.empty()) {
    json["logprobs"] = logprobs;
  } else {
    json["error"] = row.flaw;
  }
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace cohort
