#include "rewards/grade_rows.h"

#include <cstdint>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"
#include "proto/rows.h"
#include "proto/status.h"
#include "rewards/math_options.h"

namespace cohort {
namespace {

using Json = nlohmann::json;

std::string Print(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

absl::Status WrongType(const char* key, const char* expected) {
  return absl::InvalidArgumentError(
      absl::StrCat("'", key, "' is not ", expected));
}

// The field as text: a string, or the digits of a number. Absent leaves `text`.
absl::Status TakeText(const Json& row, const char* key, std::string* text) {
  const auto found = row.find(key);
  if (found == row.end() || found->is_null()) return absl::OkStatus();
  if (found->is_string()) {
    *text = found->get<std::string>();
  } else if (found->is_number()) {
    *text = Print(*found);
  } else {
    return WrongType(key, "a text");
  }
  return absl::OkStatus();
}

absl::Status TakeInteger(const Json& value, const char* key, int64_t* integer) {
  if (!value.is_number_integer() ||
      (value.is_number_unsigned() && value.get<uint64_t>() > INT64_MAX)) {
    return WrongType(key, "a whole number of 64 bits");
  }
  *integer = value.get<int64_t>();
  return absl::OkStatus();
}

absl::Status TakeCountdown(const Json& row, Prompt* prompt) {
  if (const auto numbers = row.find("numbers"); numbers != row.end()) {
    if (!numbers->is_array()) return WrongType("numbers", "a list");
    for (const Json& value : *numbers) {
      int64_t number = 0;
      COHORT_RETURN_IF_ERROR(TakeInteger(value, "numbers", &number));
      prompt->add_numbers(number);
    }
  }
  if (const auto target = row.find("target"); target != row.end()) {
    int64_t number = 0;
    COHORT_RETURN_IF_ERROR(TakeInteger(*target, "target", &number));
    prompt->set_target(number);
  } else if (prompt->verifier() == "countdown") {
    return absl::InvalidArgumentError("no target");
  }
  return absl::OkStatus();
}

// `prediction`, or its pieces repeated, or its bytes in base 64.
absl::Status TakePrediction(const Json& row, std::string* text) {
  constexpr size_t kMaxBytes = size_t{64} << 20;
  if (const auto parts = row.find("prediction_parts"); parts != row.end()) {
    if (!parts->is_array()) return WrongType("prediction_parts", "a list");
    for (const Json& part : *parts) {
      if (!part.is_array() || part.size() != 2 || !part[0].is_string() ||
          !part[1].is_number_unsigned()) {
        return WrongType("prediction_parts", "a list of [text, times]");
      }
      const std::string piece = part[0].get<std::string>();
      const uint64_t times = part[1].get<uint64_t>();
      if (!piece.empty() && times > (kMaxBytes - text->size()) / piece.size()) {
        return absl::InvalidArgumentError(
            absl::StrCat("'prediction_parts' is longer than ", kMaxBytes));
      }
      for (uint64_t i = 0; i < times && !piece.empty(); ++i) *text += piece;
    }
    return absl::OkStatus();
  }
  if (row.contains("prediction_b64")) {
    std::string encoded;
    COHORT_RETURN_IF_ERROR(TakeText(row, "prediction_b64", &encoded));
    if (!absl::Base64Unescape(encoded, text)) {
      return WrongType("prediction_b64", "base 64");
    }
    return absl::OkStatus();
  }
  if (!row.contains("prediction")) {
    return absl::InvalidArgumentError("no prediction");
  }
  return TakeText(row, "prediction", text);
}

// What a prompt for "math" may choose.
absl::Status TakePolicy(const Json& row, Prompt* prompt) {
  std::string policy;
  COHORT_RETURN_IF_ERROR(TakeText(row, "policy", &policy));
  if (const auto opts = row.find("opts"); opts != row.end()) {
    COHORT_ASSIGN_OR_RETURN(policy, WithOptions(policy, *opts));
  }
  prompt->set_math_policy(policy);
  return absl::OkStatus();
}

// A row of a grading table: a gold answer and a prediction.
absl::Status TakeGold(const Json& row, GradeRow* out) {
  Prompt& prompt = out->prompt;
  std::string form;
  COHORT_RETURN_IF_ERROR(TakeText(row, "form", &form));
  COHORT_RETURN_IF_ERROR(TakeText(row, "gold", prompt.mutable_answer()));
  COHORT_RETURN_IF_ERROR(TakePrediction(row, &out->completion));
  if (form == "answer_pair") {
    prompt.set_answer_form(ANSWER_FORM_BARE);
  } else if (form == "gold_text") {
    prompt.set_answer_form(ANSWER_FORM_TEXT);
  } else if (form == "completion") {
    prompt.set_answer_form(ANSWER_FORM_COMPLETION);
  } else {
    return absl::InvalidArgumentError(absl::StrCat("no form '", form, "'"));
  }
  if (prompt.verifier().empty()) prompt.set_verifier("math");
  if (prompt.verifier() != "math") return absl::OkStatus();
  // All of the row is understood; the prediction need not go twice.
  prompt.clear_row_json();
  return TakePolicy(row, &prompt);
}

absl::Status TakeFields(const Json& row, GradeRow* out) {
  Prompt& prompt = out->prompt;
  COHORT_RETURN_IF_ERROR(TakeText(row, "verifier", prompt.mutable_verifier()));
  if (row.contains("gold")) return TakeGold(row, out);
  if (!row.contains("completion")) {
    return absl::InvalidArgumentError("no completion");
  }
  COHORT_RETURN_IF_ERROR(TakeText(row, "completion", &out->completion));
  COHORT_RETURN_IF_ERROR(TakeText(row, "answer", prompt.mutable_answer()));
  COHORT_RETURN_IF_ERROR(TakeText(row, "format", prompt.mutable_format()));
  COHORT_RETURN_IF_ERROR(TakeText(row, "prompt", prompt.mutable_text()));
  if (const auto finished = row.find("finished"); finished != row.end()) {
    if (!finished->is_boolean()) return WrongType("finished", "true or false");
    out->finished = finished->get<bool>();
  }
  if (prompt.verifier() == "math") {
    COHORT_RETURN_IF_ERROR(TakePolicy(row, &prompt));
    prompt.clear_row_json();
  }
  return TakeCountdown(row, &prompt);
}

}  // namespace

absl::StatusOr<GradeRow> ParseGradeRow(std::string_view line,
                                       const std::string& default_id) {
  const Json row = Json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (row.is_discarded()) return absl::InvalidArgumentError("not JSON");
  GradeRow out;
  out.id = Print(default_id);
  out.prompt.set_id(default_id);
  out.prompt.set_row_json(std::string(line));
  if (!row.is_object()) {
    out.flaw = "not an object";
    return out;
  }
  if (const auto id = row.find("id"); id != row.end()) {
    out.id = Print(*id);
    out.prompt.set_id(id->is_string() ? id->get<std::string>() : out.id);
  }
  out.flaw = std::string(TakeFields(row, &out).message());
  return out;
}

std::string PrintGrade(const GradeRow& row, const Grade& grade) {
  nlohmann::ordered_json out;
  out["id"] = nullptr;
  out["verdict"] = std::string(VerdictName(grade.verdict()));
  out["score"] = grade.score();
  out["extracted"] = grade.extracted();
  out["reason"] = grade.reason();
  out["cpu_ms"] = grade.cpu_ms();
  if (!row.prompt.format().empty()) out["format"] = grade.format();
  for (const std::string& suspicion : grade.suspicions()) {
    out["suspicions"].push_back(suspicion);
  }
  if (grade.weak()) out["weak"] = true;
  if (grade.policy_version() != 0) {
    out["policy_version"] = grade.policy_version();
  }
  out["id"] = nlohmann::ordered_json::parse(row.id, nullptr, false);
  return out.dump(-1, ' ', false,
                  nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace cohort
