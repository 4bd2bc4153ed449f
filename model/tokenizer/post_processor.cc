#include "model/tokenizer/post_processor.h"

#include <nlohmann/json.hpp>
#include <string>

#include "absl/strings/str_cat.h"
#include "model/tokenizer/vocabulary.h"
#include "proto/status.h"

namespace cohort {
namespace {

using nlohmann::json;

constexpr int kDeepestNesting = 16;

absl::StatusOr<std::vector<int32_t>> TokensOf(const JsonPart& component,
                                              const std::string& name) {
  COHORT_ASSIGN_OR_RETURN(const JsonPart tokens,
                          component.Member("special_tokens"));
  COHORT_ASSIGN_OR_RETURN(const JsonPart token, tokens.Member(name.c_str()));
  COHORT_ASSIGN_OR_RETURN(const std::vector<JsonPart> list, token.List("ids"));
  std::vector<int32_t> ids;
  for (const JsonPart& entry : list) {
    const json& id = entry.value();
    if (!id.is_number_integer() || id < 0 || id >= kMaxTokenId) {
      return entry.Wrong(absl::StrCat("impossible id ", id.dump()));
    }
    ids.push_back(id.get<int32_t>());
  }
  return ids;
}

absl::StatusOr<PostProcessor> ParseTemplate(const JsonPart& component) {
  PostProcessor result;
  COHORT_ASSIGN_OR_RETURN(const std::vector<JsonPart> pieces,
                          component.List("single"));
  bool behind = false;
  for (const JsonPart& piece : pieces) {
    if (piece.Has("Sequence")) {
      COHORT_ASSIGN_OR_RETURN(const JsonPart sequence,
                              piece.Member("Sequence"));
      COHORT_ASSIGN_OR_RETURN(const std::string id, sequence.Text("id"));
      if (id != "A" || behind) return piece.Wrong("must name A, once");
      behind = true;
      continue;
    }
    COHORT_ASSIGN_OR_RETURN(const JsonPart token, piece.Member("SpecialToken"));
    COHORT_ASSIGN_OR_RETURN(const std::string name, token.Text("id"));
    COHORT_ASSIGN_OR_RETURN(const std::vector<int32_t> ids,
                            TokensOf(component, name));
    std::vector<int32_t>& side = behind ? result.behind : result.before;
    side.insert(side.end(), ids.begin(), ids.end());
  }
  if (!behind) return component.Wrong("single must name A");
  return result;
}

// The pair ["</s>", 2].
absl::StatusOr<int32_t> PairedId(const JsonPart& component, const char* name) {
  COHORT_ASSIGN_OR_RETURN(const JsonPart pair, component.Member(name));
  const json& value = pair.value();
  if (!value.is_array() || value.size() != 2 || !value[1].is_number_integer() ||
      value[1] < 0 || value[1] >= kMaxTokenId) {
    return pair.Wrong("must be a token and its id");
  }
  return value[1].get<int32_t>();
}

absl::StatusOr<PostProcessor> ParseAt(const JsonPart& component, int depth) {
  COHORT_ASSIGN_OR_RETURN(const std::string type, component.Type());
  if (type == "ByteLevel") return PostProcessor();
  if (type == "TemplateProcessing") return ParseTemplate(component);
  if (type == "RobertaProcessing" || type == "BertProcessing") {
    PostProcessor result;
    COHORT_ASSIGN_OR_RETURN(result.before.emplace_back(),
                            PairedId(component, "cls"));
    COHORT_ASSIGN_OR_RETURN(result.behind.emplace_back(),
                            PairedId(component, "sep"));
    return result;
  }
  if (type != "Sequence")
    return component.NotBuilt(absl::StrCat("type ", type));
  if (depth == kDeepestNesting) return component.Wrong("nested too deeply");
  COHORT_ASSIGN_OR_RETURN(const std::vector<JsonPart> parts,
                          component.List("processors"));
  PostProcessor result;
  bool adds = false;
  for (const JsonPart& part : parts) {
    COHORT_ASSIGN_OR_RETURN(PostProcessor inner, ParseAt(part, depth + 1));
    if (inner.before.empty() && inner.behind.empty()) continue;
    if (adds) return part.NotBuilt("a second processor that adds tokens");
    adds = true;
    result = std::move(inner);
  }
  return result;
}

}  // namespace

absl::StatusOr<PostProcessor> PostProcessor::Parse(const JsonPart& component) {
  return ParseAt(component, 0);
}

}  // namespace cohort
