#include "model/tokenizer.h"

#include <algorithm>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <unordered_map>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "model/utf8.h"
#include "proto/status.h"
#include "xxhash.h"

namespace cohort {
namespace {

using nlohmann::json;

constexpr int64_t kMaxId = int64_t{1} << 24;

struct AddedToken {
  int32_t id = 0;
  std::string text;
  bool special = false;
};

// What tokenizer.json says, once it is known that all of it is built.
struct Vocabulary {
  std::string name;                                // For errors.
  std::unordered_map<std::string, int32_t> ids;    // The model's own tokens.
  std::unordered_map<int32_t, std::string> texts;  // Of all tokens.
  std::map<int32_t, bool> special;                 // Added tokens.
  std::vector<AddedToken> first_added;             // Matched first,
  std::vector<AddedToken> then_added;              // matched in the rest.
  std::optional<int32_t> unknown;
  bool fuse_unknown = false;
  std::string separator;  // Between the texts of decoded tokens.
};

// One token per character, beside added tokens that are found as wholes.
class CharacterTokenizer : public Tokenizer {
 public:
  explicit CharacterTokenizer(Vocabulary vocabulary)
      : vocabulary_(std::move(vocabulary)) {}

  absl::StatusOr<std::vector<int32_t>> Encode(
      std::string_view text) const override {
    std::vector<int32_t> ids;
    COHORT_RETURN_IF_ERROR(
        Split(text, vocabulary_.first_added, &ids, [&](std::string_view rest) {
          return Split(
              rest, vocabulary_.then_added, &ids,
              [&](std::string_view plain) { return EncodePlain(plain, &ids); });
        }));
    return ids;
  }

  std::string Decode(absl::Span<const int32_t> ids,
                     bool skip_special_tokens) const override {
    std::string text;
    bool first = true;
    for (const int32_t id : ids) {
      if (skip_special_tokens) {
        const auto it = vocabulary_.special.find(id);
        if (it != vocabulary_.special.end() && it->second) continue;
      }
      if (!first) text.append(vocabulary_.separator);
      first = false;
      const auto it = vocabulary_.texts.find(id);
      text.append(it == vocabulary_.texts.end() ? kReplacement
                                                : std::string_view(it->second));
    }
    return text;
  }

  int64_t vocab_size() const override {
    int32_t largest = -1;
    for (const auto& [id, text] : vocabulary_.texts) {
      largest = std::max(largest, id);
    }
    return int64_t{largest} + 1;
  }

  std::string hash() const override {
    const std::map<int32_t, std::string> sorted(vocabulary_.texts.begin(),
                                                vocabulary_.texts.end());
    std::string listing = absl::StrCat(
        "characters ", vocabulary_.unknown.value_or(-1), " ",
        vocabulary_.fuse_unknown, " ", vocabulary_.separator, "\n");
    for (const auto& [id, text] : sorted) {
      const auto special = vocabulary_.special.find(id);
      absl::StrAppend(
          &listing, id, " ",
          special == vocabulary_.special.end() ? 0 : 1 + special->second, " ",
          text.size(), " ", text, "\n");
    }
    const XXH128_hash_t hash = XXH3_128bits(listing.data(), listing.size());
    return absl::StrFormat("%016x%016x", hash.high64, hash.low64);
  }

 private:
  // Cuts `text` at `added` tokens, the leftmost first and of those the longest,
  // and hands what lies between to `plain`.
  template <typename Plain>
  static absl::Status Split(std::string_view text,
                            const std::vector<AddedToken>& added,
                            std::vector<int32_t>* ids, const Plain& plain) {
    size_t begin = 0;
    size_t place = 0;
    while (place < text.size()) {
      const AddedToken* best = nullptr;
      for (const AddedToken& token : added) {
        if (text.substr(place, token.text.size()) == token.text &&
            (best == nullptr || token.text.size() > best->text.size())) {
          best = &token;
        }
      }
      if (best == nullptr) {
        ++place;
        continue;
      }
      COHORT_RETURN_IF_ERROR(plain(text.substr(begin, place - begin)));
      ids->push_back(best->id);
      place += best->text.size();
      begin = place;
    }
    return plain(text.substr(begin));
  }

  absl::Status EncodePlain(std::string_view text,
                           std::vector<int32_t>* ids) const {
    bool after_unknown = false;
    while (!text.empty()) {
      const size_t length = Utf8Length(text);
      if (length == 0) {
        return absl::InvalidArgumentError(absl::StrCat(
            vocabulary_.name, ": the text is not UTF-8 at \"",
            absl::CHexEscape(std::string(text.substr(0, 8))), "\""));
      }
      const std::string character(text.substr(0, length));
      const auto it = vocabulary_.ids.find(character);
      if (it != vocabulary_.ids.end()) {
        ids->push_back(it->second);
      } else if (!vocabulary_.unknown) {
        return absl::InvalidArgumentError(absl::StrCat(
            vocabulary_.name, ": no token for \"", character, "\""));
      } else if (!after_unknown || !vocabulary_.fuse_unknown) {
        ids->push_back(*vocabulary_.unknown);
      }
      after_unknown = it == vocabulary_.ids.end();
      text.remove_prefix(length);
    }
    return absl::OkStatus();
  }

  Vocabulary vocabulary_;
};

class ByteTokenizer : public Tokenizer {
 public:
  absl::StatusOr<std::vector<int32_t>> Encode(
      std::string_view text) const override {
    std::vector<int32_t> ids;
    ids.reserve(text.size());
    for (const char byte : text) ids.push_back(static_cast<uint8_t>(byte));
    return ids;
  }

  std::string Decode(absl::Span<const int32_t> ids,
                     bool /*skip_special_tokens*/) const override {
    std::string bytes;
    for (const int32_t id : ids) {
      if (id >= 0 && id < 256) {
        bytes += static_cast<char>(id);
      } else {
        bytes += kReplacement;
      }
    }
    return ToValidUtf8(bytes);
  }

  int64_t vocab_size() const override { return 256; }
  std::string hash() const override { return "bytes"; }
};

// Reading tokenizer.json: everything in it must be known to be built.
class Loader {
 public:
  explicit Loader(std::string name) { vocabulary_.name = std::move(name); }

  absl::StatusOr<Vocabulary> Load(const json& root) {
    for (const char* const part : {"normalizer", "pre_tokenizer",
                                   "post_processor", "truncation", "padding"}) {
      COHORT_RETURN_IF_ERROR(RequireNone(root, part));
    }
    COHORT_RETURN_IF_ERROR(ReadDecoder(root));
    const json* const model = Field(root, "model");
    if (model == nullptr || !model->is_object()) {
      return Invalid("model is missing");
    }
    COHORT_RETURN_IF_ERROR(ReadModel(*model));
    COHORT_RETURN_IF_ERROR(ReadAddedTokens(root));
    if (vocabulary_.texts.empty()) return Invalid("the vocabulary is empty");
    return std::move(vocabulary_);
  }

 private:
  absl::Status Invalid(const std::string& what) const {
    return absl::InvalidArgumentError(
        absl::StrCat(vocabulary_.name, ": ", what));
  }

  absl::Status NotBuilt(const std::string& what) const {
    return absl::UnimplementedError(
        absl::StrCat(vocabulary_.name, ": ", what, " is not supported"));
  }

  static const json* Field(const json& object, const char* name) {
    const auto it = object.find(name);
    return it == object.end() || it->is_null() ? nullptr : &*it;
  }

  static std::string TypeOf(const json& component) {
    const json* const type =
        component.is_object() ? Field(component, "type") : nullptr;
    return type != nullptr && type->is_string() ? type->get<std::string>()
                                                : component.dump();
  }

  absl::Status RequireNone(const json& root, const char* part) const {
    const json* const component = Field(root, part);
    if (component == nullptr) return absl::OkStatus();
    return NotBuilt(absl::StrCat(part, " ", TypeOf(*component)));
  }

  absl::Status ReadDecoder(const json& root) {
    const json* const decoder = Field(root, "decoder");
    if (decoder == nullptr) {
      vocabulary_.separator.assign(1, ' ');  // As the tokenizers library does.
    } else if (TypeOf(*decoder) != "Fuse") {
      return NotBuilt(absl::StrCat("decoder ", TypeOf(*decoder)));
    }
    return absl::OkStatus();
  }

  // True where the field is absent, false or the empty text.
  static bool IsOff(const json& model, const char* name) {
    const json* const value = Field(model, name);
    return value == nullptr || *value == false || *value == "" || *value == 0;
  }

  absl::Status ReadModel(const json& model) {
    const std::string type = TypeOf(model);
    if (type != "BPE") return NotBuilt(absl::StrCat("model ", type));
    const json* const merges = Field(model, "merges");
    if (merges != nullptr && !(merges->is_array() && merges->empty())) {
      return NotBuilt("model BPE with merges");
    }
    for (const char* const option :
         {"dropout", "continuing_subword_prefix", "end_of_word_suffix",
          "byte_fallback", "ignore_merges"}) {
      if (!IsOff(model, option)) {
        return NotBuilt(absl::StrCat("model BPE with ", option));
      }
    }
    const json* const vocab = Field(model, "vocab");
    if (vocab == nullptr || !vocab->is_object()) {
      return Invalid("model.vocab is missing");
    }
    for (const auto& [text, id] : vocab->items()) {
      COHORT_ASSIGN_OR_RETURN(const int32_t number, ReadId(id, text));
      if (!vocabulary_.texts.emplace(number, text).second) {
        return Invalid(absl::StrCat("id ", number, " is given to \"",
                                    vocabulary_.texts[number], "\" and \"",
                                    text, "\""));
      }
      vocabulary_.ids.emplace(text, number);
    }
    vocabulary_.fuse_unknown = !IsOff(model, "fuse_unk");
    return ReadUnknown(model);
  }

  absl::Status ReadUnknown(const json& model) {
    const json* const unknown = Field(model, "unk_token");
    if (unknown == nullptr) return absl::OkStatus();
    const auto it = unknown->is_string()
                        ? vocabulary_.ids.find(unknown->get<std::string>())
                        : vocabulary_.ids.end();
    if (it == vocabulary_.ids.end()) {
      return Invalid(absl::StrCat("unk_token ", unknown->dump(),
                                  " is not in the vocabulary"));
    }
    vocabulary_.unknown = it->second;
    return absl::OkStatus();
  }

  absl::StatusOr<int32_t> ReadId(const json& id, const std::string& text) {
    if (!id.is_number_integer() || id < 0 || id >= kMaxId) {
      return Invalid(
          absl::StrCat("\"", text, "\" has the impossible id ", id.dump()));
    }
    return id.get<int32_t>();
  }

  absl::Status ReadAddedTokens(const json& root) {
    const json* const list = Field(root, "added_tokens");
    if (list == nullptr) return absl::OkStatus();
    if (!list->is_array()) return Invalid("added_tokens must be a list");
    for (const json& entry : *list) {
      COHORT_RETURN_IF_ERROR(ReadAddedToken(entry));
    }
    return absl::OkStatus();
  }

  absl::Status ReadAddedToken(const json& entry) {
    const json* const content =
        entry.is_object() ? Field(entry, "content") : nullptr;
    if (content == nullptr || !content->is_string() || *content == "" ||
        !entry.contains("id")) {
      return Invalid(absl::StrCat("impossible added token ", entry.dump()));
    }
    AddedToken token;
    token.text = content->get<std::string>();
    COHORT_ASSIGN_OR_RETURN(token.id, ReadId(entry["id"], token.text));
    for (const char* const flag : {"single_word", "lstrip", "rstrip"}) {
      if (!IsOff(entry, flag)) {
        return NotBuilt(
            absl::StrCat("added token \"", token.text, "\" with ", flag));
      }
    }
    token.special = !IsOff(entry, "special");
    const auto [it, fresh] = vocabulary_.texts.emplace(token.id, token.text);
    if (!fresh && it->second != token.text) {
      return Invalid(absl::StrCat("id ", token.id, " is given to \"",
                                  it->second, "\" and \"", token.text, "\""));
    }
    vocabulary_.special[token.id] = token.special;
    (IsOff(entry, "normalized") ? vocabulary_.first_added
                                : vocabulary_.then_added)
        .push_back(std::move(token));
    return absl::OkStatus();
  }

  Vocabulary vocabulary_;
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
  COHORT_ASSIGN_OR_RETURN(Vocabulary vocabulary, Loader(name).Load(root));
  return std::make_unique<CharacterTokenizer>(std::move(vocabulary));
}

std::unique_ptr<Tokenizer> Tokenizer::Bytes() {
  return std::make_unique<ByteTokenizer>();
}

}  // namespace cohort
