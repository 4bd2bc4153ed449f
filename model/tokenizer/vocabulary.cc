#include "model/tokenizer/vocabulary.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"

namespace cohort {

absl::StatusOr<Vocabulary> Vocabulary::Parse(const JsonPart& object) {
  if (!object.value().is_object()) return object.Wrong("must be an object");
  int64_t end = 0;
  for (const auto& [text, id] : object.value().items()) {
    if (!id.is_number_integer() || id < 0 || id >= kMaxTokenId) {
      return object.Wrong(
          absl::StrCat("\"", text, "\" has the impossible id ", id.dump()));
    }
    end = std::max(end, id.get<int64_t>() + 1);
  }
  Vocabulary vocabulary;
  vocabulary.texts_.resize(static_cast<size_t>(end));
  vocabulary.ids_.reserve(object.value().size());
  for (const auto& [text, id] : object.value().items()) {
    const auto number = id.get<int32_t>();
    std::optional<std::string>& entry = vocabulary.texts_[number];
    if (entry) {
      return object.Wrong(absl::StrCat("id ", number, " is given to \"", *entry,
                                       "\" and \"", text, "\""));
    }
    entry = text;
    vocabulary.ids_.emplace(*entry, number);
  }
  return vocabulary;
}

}  // namespace cohort
