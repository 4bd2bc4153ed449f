#include "model/tokenizer/json_part.h"

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "model/tokenizer/unicode.h"
#include "model/utf8.h"
#include "proto/status.h"

namespace cohort {
namespace {

using nlohmann::json;

// Null when it is absent or null.
const json* Find(const json& object, const char* name) {
  if (!object.is_object()) return nullptr;
  const auto it = object.find(name);
  return it == object.end() || it->is_null() ? nullptr : &*it;
}

}  // namespace

std::string JsonPart::Place() const {
  return path_.empty() ? file_ : absl::StrCat(file_, ": ", path_);
}

JsonPart JsonPart::Entry(size_t i) const {
  JsonPart entry(&(*value_)[i], file_);
  entry.path_ = absl::StrCat(path_, "[", i, "]");
  return entry;
}

absl::Status JsonPart::Wrong(std::string_view what) const {
  return absl::InvalidArgumentError(
      absl::StrCat(Place(), ": ", std::string(what)));
}

absl::Status JsonPart::NotBuilt(std::string_view what) const {
  return absl::UnimplementedError(
      absl::StrCat(Place(), ": ", std::string(what), " is not supported"));
}

bool JsonPart::Has(const char* name) const {
  return Find(*value_, name) != nullptr;
}

absl::StatusOr<std::string> JsonPart::Type() const { return Text("type"); }

absl::StatusOr<JsonPart> JsonPart::Member(const char* name) const {
  const json* const member = Find(*value_, name);
  if (member == nullptr) return Wrong(absl::StrCat(name, " is missing"));
  JsonPart part(member, file_);
  part.path_ = path_.empty() ? name : absl::StrCat(path_, ".", name);
  return part;
}

absl::StatusOr<std::string> JsonPart::Text(const char* name) const {
  const json* const member = Find(*value_, name);
  if (member == nullptr) return Wrong(absl::StrCat(name, " is missing"));
  if (!member->is_string()) {
    return Wrong(absl::StrCat(name, " must be a text"));
  }
  return member->get<std::string>();
}

absl::StatusOr<std::string> JsonPart::Text(const char* name,
                                           std::string_view otherwise) const {
  if (!Has(name)) return std::string(otherwise);
  return Text(name);
}

absl::StatusOr<char32_t> JsonPart::Character(const char* name) const {
  COHORT_ASSIGN_OR_RETURN(const std::string text, Text(name));
  if (text.empty() || Utf8Length(text) != text.size()) {
    return Wrong(absl::StrCat(name, " must be one character"));
  }
  size_t place = 0;
  return NextCharacter(text, &place);
}

absl::StatusOr<std::vector<JsonPart>> JsonPart::List(const char* name) const {
  COHORT_ASSIGN_OR_RETURN(const JsonPart list, Member(name));
  if (!list.value().is_array()) {
    return Wrong(absl::StrCat(name, " must be a list"));
  }
  std::vector<JsonPart> parts;
  parts.reserve(list.value().size());
  for (size_t i = 0; i < list.value().size(); ++i) {
    parts.push_back(list.Entry(i));
  }
  return parts;
}

absl::StatusOr<int64_t> JsonPart::Number(const char* name,
                                         int64_t limit) const {
  COHORT_ASSIGN_OR_RETURN(const JsonPart number, Member(name));
  const json& value = number.value();
  if (!value.is_number_integer() || value < 0 || value >= limit) {
    return Wrong(
        absl::StrCat(name, " ", value.dump(), " is not in [0, ", limit, ")"));
  }
  return value.get<int64_t>();
}

absl::StatusOr<bool> JsonPart::Flag(const char* name, bool otherwise) const {
  const json* const member = Find(*value_, name);
  if (member == nullptr) return otherwise;
  if (!member->is_boolean()) {
    return Wrong(absl::StrCat(name, " must be true or false"));
  }
  return member->get<bool>();
}

}  // namespace cohort
