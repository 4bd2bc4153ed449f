#include "rollout/tokenize_rows.h"

#include <cstdint>
#include <nlohmann/json.hpp>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "model/utf8.h"
#include "proto/status.h"

namespace cohort {
namespace {

using Json = nlohmann::ordered_json;

absl::StatusOr<bool> Flag(const Json& row, const char* name) {
  const auto flag = row.find(name);
  if (flag == row.end() || flag->is_null()) return false;
  if (flag->is_boolean()) return flag->get<bool>();
  return absl::InvalidArgumentError(
      absl::StrCat(name, " is neither true nor false"));
}

absl::StatusOr<std::vector<int32_t>> IdsOf(const Json& row,
                                           int64_t vocab_size) {
  const auto list = row.find("ids");
  if (list == row.end() || !list->is_array()) {
    return absl::InvalidArgumentError("ids is not a list");
  }
  std::vector<int32_t> ids;
  for (const Json& id : *list) {
    if (!id.is_number_integer() || id < 0 || id >= vocab_size) {
      return absl::InvalidArgumentError(absl::StrCat(
          "ids: ", id.dump(), " is no token; there are ", vocab_size));
    }
    ids.push_back(id.get<int32_t>());
  }
  return ids;
}

absl::StatusOr<Json> Decoded(const Json& row, const Tokenizer& tokenizer) {
  COHORT_ASSIGN_OR_RETURN(const std::vector<int32_t> ids,
                          IdsOf(row, tokenizer.vocab_size()));
  COHORT_ASSIGN_OR_RETURN(const bool skip, Flag(row, "skip_special_tokens"));
  return Json{{"ids", ids}, {"text", tokenizer.Decode(ids, skip)}};
}

// `line`: the row as it stood. The template reads that, for the JSON in between
// would make floats of ints past 64 bits.
absl::StatusOr<Json> Rendered(std::string_view line,
                              const TokenizeSettings& settings) {
  if (!settings.chat_template.ok()) return settings.chat_template.status();
  COHORT_ASSIGN_OR_RETURN(const RenderedChat chat,
                          (*settings.chat_template)->Render(line));
  COHORT_ASSIGN_OR_RETURN(const std::vector<int32_t> ids,
                          settings.tokenizer->Encode(chat.text));
  return Json{{"ids", ids}, {"text", chat.text}};
}

absl::StatusOr<Json> Encoded(const Json& row, const Tokenizer& tokenizer) {
  if (!row.contains("text")) {
    return absl::InvalidArgumentError(row.contains("ids")
                                          ? "ids are decoded by --decode"
                                          : "has neither text nor messages");
  }
  if (!row["text"].is_string()) {
    return absl::InvalidArgumentError("text is not a text");
  }
  const auto& text = row["text"].get_ref<const std::string&>();
  COHORT_ASSIGN_OR_RETURN(const bool special, Flag(row, "add_special_tokens"));
  COHORT_ASSIGN_OR_RETURN(const std::vector<int32_t> ids,
                          tokenizer.Encode(text, special));
  return Json{{"ids", ids}, {"text", text}};
}

absl::StatusOr<Json> MadeOf(const Json& row, std::string_view line,
                            const TokenizeSettings& settings) {
  if (!row.is_object()) {
    return absl::InvalidArgumentError("not a JSON object");
  }
  if (settings.decode) return Decoded(row, *settings.tokenizer);
  if (row.contains("messages")) return Rendered(line, settings);
  return Encoded(row, *settings.tokenizer);
}

}  // namespace

absl::StatusOr<std::string> TokenizeRow(std::string_view line,
                                        const TokenizeSettings& settings) {
  const std::string valid = ToValidUtf8(line);
  const Json row = Json::parse(valid, nullptr, /*allow_exceptions=*/false);
  if (row.is_discarded()) return absl::InvalidArgumentError("not JSON");
  Json result = Json::object();
  if (row.is_object() && row.contains("id")) result["id"] = row["id"];
  const absl::StatusOr<Json> made = MadeOf(row, valid, settings);
  if (made.ok()) {
    result.update(*made);
  } else {
    result["error"] = std::string(made.status().message());
  }
  return result.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace cohort
