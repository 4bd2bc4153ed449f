#include "model/tokenizer.h"

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "model/tokenizer/json_part.h"
#include "model/tokenizer/pipeline.h"
#include "model/utf8.h"
#include "proto/status.h"

namespace cohort {
namespace {

using nlohmann::json;

class ByteTokenizer : public Tokenizer {
 public:
  absl::StatusOr<std::vector<int32_t>> Encode(
      std::string_view text, bool /*add_special_tokens*/) const override {
    std::vector<int32_t> ids;
    ids.reserve(text.size());
    for (const char byte : text) ids.push_back(static_cast<uint8_t>(byte));
    return ids;
  }

  std::string Decode(absl::Span<const int32_t> ids,
                     bool /*skip_special_tokens*/) const override {
    std::string bytes;
    for (const int32_t id : ids) {
      if (id >= 0 && id < 256) bytes += static_cast<char>(id);
    }
    return ToValidUtf8(bytes);
  }

  int64_t vocab_size() const override { return 256; }
  std::string hash() const override { return "bytes"; }
};

absl::StatusOr<std::string> ReadText(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return absl::NotFoundError(absl::StrCat("no file ", path));
  std::ostringstream text;
  text << file.rdbuf();
  if (file.bad()) return absl::InternalError(absl::StrCat("read ", path));
  return std::move(text).str();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Tokenizer>> Tokenizer::Load(
    const std::string& folder) {
  const std::string path = absl::StrCat(folder, "/tokenizer.json");
  COHORT_ASSIGN_OR_RETURN(const std::string text, ReadText(path));
  absl::StatusOr<std::string> config =
      ReadText(absl::StrCat(folder, "/tokenizer_config.json"));
  if (!config.ok() && !absl::IsNotFound(config.status())) {
    return config.status();
  }
  return Parse(text, config.value_or(""), path);
}

absl::StatusOr<std::unique_ptr<Tokenizer>> Tokenizer::Parse(
    const std::string& tokenizer_json, const std::string& config_json,
    const std::string& name) {
  const json root =
      json::parse(tokenizer_json, nullptr, /*allow_exceptions=*/false);
  if (!root.is_object()) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, ": is not a JSON object"));
  }
  if (!config_json.empty() &&
      !json::parse(config_json, nullptr, false).is_object()) {
    return absl::InvalidArgumentError(absl::StrCat(
        name, ": the tokenizer_config.json beside it is not a JSON object"));
  }
  return PipelineTokenizer::Parse(JsonPart(&root, name), name);
}

std::unique_ptr<Tokenizer> Tokenizer::Bytes() {
  return std::make_unique<ByteTokenizer>();
}

}  // namespace cohort
