#include "model/tokenizer/added_tokens.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/tokenizer/unicode.h"
#include "proto/status.h"

namespace cohort {
namespace {

// Every place of a text is compared with tokens up to their length.
constexpr size_t kLongestTokenBytes = 4096;

absl::StatusOr<AddedToken> ParseToken(const JsonPart& part) {
  AddedToken token;
  COHORT_ASSIGN_OR_RETURN(token.text, part.Text("content"));
  if (token.text.size() > kLongestTokenBytes) {
    return part.Wrong(absl::StrCat("a token of ", token.text.size(),
                                   " bytes, at most ", kLongestTokenBytes));
  }
  COHORT_ASSIGN_OR_RETURN(token.single_word, part.Flag("single_word", false));
  COHORT_ASSIGN_OR_RETURN(token.lstrip, part.Flag("lstrip", false));
  COHORT_ASSIGN_OR_RETURN(token.rstrip, part.Flag("rstrip", false));
  COHORT_ASSIGN_OR_RETURN(token.normalized, part.Flag("normalized", false));
  COHORT_ASSIGN_OR_RETURN(token.special, part.Flag("special", false));
  return token;
}

}  // namespace

absl::StatusOr<AddedTokens> AddedTokens::Parse(const JsonPart& file,
                                               const Vocabulary& vocabulary,
                                               const Normalizer* normalizer) {
  AddedTokens tokens;
  tokens.next_id_ = static_cast<int32_t>(vocabulary.size());
  if (!file.Has("added_tokens")) return tokens;
  COHORT_ASSIGN_OR_RETURN(const JsonPart list, file.Member("added_tokens"));
  COHORT_ASSIGN_OR_RETURN(const std::vector<JsonPart> parts,
                          file.List("added_tokens"));
  std::map<int64_t, std::string> in_file;
  for (const JsonPart& part : parts) {
    COHORT_ASSIGN_OR_RETURN(const AddedToken token, ParseToken(part));
    COHORT_ASSIGN_OR_RETURN(const int64_t id, part.Number("id", kMaxTokenId));
    const auto model_text = vocabulary.TextOf(id);
    const std::string& other =
        in_file.emplace(id, model_text ? *model_text : token.text)
            .first->second;
    if (other != token.text) {
      return part.Wrong(absl::StrCat("id ", id, " is given to \"", other,
                                     "\" and \"", token.text, "\""));
    }
    COHORT_RETURN_IF_ERROR(tokens.Assign(part, token, vocabulary));
  }
  COHORT_RETURN_IF_ERROR(tokens.Normalize(list, normalizer));
  return tokens;
}

absl::Status AddedTokens::Assign(const JsonPart& part, const AddedToken& token,
                                 const Vocabulary& vocabulary) {
  if (token.text.empty()) return absl::OkStatus();
  int32_t id = vocabulary.IdOf(token.text);
  const auto known = ids_.find(token.text);
  if (known != ids_.end()) id = known->second;
  if (id < 0) {
    id = next_id_++;
    // Where the model's ids have gaps, its size may be one of them.
    const auto taken = vocabulary.TextOf(id);
    if (taken) {
      return part.Wrong(absl::StrCat("\"", token.text, "\" would get id ", id,
                                     ", which is \"", std::string(*taken),
                                     "\""));
    }
  }
  ids_[token.text] = id;
  by_id_[id] = {token, token.text};
  if (token.special) special_texts_.insert(token.text);
  return absl::OkStatus();
}

absl::Status AddedTokens::Normalize(const JsonPart& part,
                                    const Normalizer* normalizer) {
  RegexScratch scratch;
  for (auto& [id, entry] : by_id_) {
    if (entry.token.normalized && normalizer != nullptr) {
      const std::string& original = entry.token.text;
      NormalizedText text{.text = original,
                          .has_additions = CheckText(original).has_additions,
                          .most_bytes = MostRewrittenBytes(original.size()),
                          .storage = {}};
      COHORT_RETURN_IF_ERROR(normalizer->Apply(&scratch, &text));
      entry.decoded.assign(text.text);
    }
    AddedTokenFinder& finder =
        entry.token.normalized ? in_normalized_ : in_text_;
    if (!finder.Add(entry.decoded, id, &entry.token)) {
      return part.Wrong(
          absl::StrCat("\"", entry.token.text, "\" is \"", entry.decoded,
                       "\" when normalized: empty, or another added token"));
    }
  }
  return absl::OkStatus();
}

std::optional<std::string_view> AddedTokens::TextOf(int64_t id) const {
  if (id < 0 || id >= end_id()) return std::nullopt;
  const auto it = by_id_.find(static_cast<int32_t>(id));
  if (it == by_id_.end()) return std::nullopt;
  return it->second.decoded;
}

int64_t AddedTokens::end_id() const {
  return by_id_.empty() ? 0 : int64_t{by_id_.rbegin()->first} + 1;
}

std::string AddedTokens::Fingerprint() const {
  std::string all;
  for (const auto& [id, entry] : by_id_) {
    const AddedToken& token = entry.token;
    absl::StrAppend(&all, id, " ", token.single_word, token.lstrip,
                    token.rstrip, token.normalized, token.special, " ",
                    token.text.size(), " ", token.text, "\n");
  }
  return all;
}

}  // namespace cohort
