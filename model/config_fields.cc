#include "model/config_fields.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"

namespace cohort {

using nlohmann::json;

struct ConfigFields::Json {
  json object;

  // Null where the field is absent.
  const json* Find(const std::string& field) const {
    const auto it = object.find(field);
    return it == object.end() || it->is_null() ? nullptr : &*it;
  }
};

ConfigFields::ConfigFields(std::shared_ptr<const Json> json, std::string path)
    : json_(std::move(json)), path_(std::move(path)) {}

absl::StatusOr<ConfigFields> ConfigFields::Parse(const std::string& text,
                                                 const std::string& path) {
  json root = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!root.is_object()) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": is not a JSON object"));
  }
  return ConfigFields(std::make_shared<const Json>(Json{std::move(root)}),
                      path);
}

void ConfigFields::Fail(const std::string& field, const std::string& what) {
  if (status_.ok()) {
    status_ =
        absl::InvalidArgumentError(absl::StrCat(path_, ": ", field, " ", what));
  }
}

bool ConfigFields::Has(const std::string& field) const {
  return json_->Find(field) != nullptr;
}

std::string ConfigFields::Dump(const std::string& field) const {
  return json_->Find(field)->dump(-1, ' ', false,
                                  json::error_handler_t::replace);
}

int64_t ConfigFields::Integer(const std::string& field, int64_t low,
                              int64_t high, std::optional<int64_t> absent) {
  const json* const value = json_->Find(field);
  const int64_t fallback = absent.value_or(low);
  if (value == nullptr) {
    if (!absent) Fail(field, "is missing");
    return fallback;
  }
  const bool fits = value->is_number_integer() &&
                    (!value->is_number_unsigned() ||
                     value->get<uint64_t>() <= uint64_t{INT64_MAX});
  if (!fits) {
    Fail(field, absl::StrCat("must be an integer, is ", Dump(field)));
    return fallback;
  }
  const int64_t number = value->get<int64_t>();
  if (number < low || number > high) {
    Fail(field,
         absl::StrCat("must be from ", low, " to ", high, ", is ", number));
    return fallback;
  }
  return number;
}

int64_t ConfigFields::Size(const std::string& field,
                           std::optional<int64_t> absent) {
  return Integer(field, 1, kMaxSize, absent);
}

double ConfigFields::Number(const std::string& field, double low, double high,
                            std::optional<double> absent) {
  const json* const value = json_->Find(field);
  const double fallback = absent.value_or(low);
  if (value == nullptr) {
    if (!absent) Fail(field, "is missing");
    return fallback;
  }
  if (!value->is_number()) {
    Fail(field, absl::StrCat("must be a number, is ", Dump(field)));
    return fallback;
  }
  const double number = value->get<double>();
  if (!(number >= low && number <= high)) {
    Fail(field, absl::StrCat("must be from ", low, " to ", high, ", is ",
                             Dump(field)));
    return fallback;
  }
  return number;
}

bool ConfigFields::Bool(const std::string& field, bool absent) {
  const json* const value = json_->Find(field);
  if (value == nullptr) return absent;
  if (!value->is_boolean()) {
    Fail(field, absl::StrCat("must be true or false, is ", Dump(field)));
    return absent;
  }
  return value->get<bool>();
}

std::string ConfigFields::Text(const std::string& field,
                               const std::string& absent) {
  const json* const value = json_->Find(field);
  if (value == nullptr) return absent;
  if (!value->is_string()) {
    Fail(field, absl::StrCat("must be a string, is ", Dump(field)));
    return absent;
  }
  return value->get<std::string>();
}

std::vector<int64_t> ConfigFields::Ids(const std::string& field, int64_t end) {
  const json* const value = json_->Find(field);
  std::vector<int64_t> ids;
  if (value == nullptr) return ids;
  for (const json& id : value->is_array() ? *value : json::array({*value})) {
    if (!id.is_number_integer() || id < 0 || id >= end) {
      Fail(field,
           absl::StrCat("must be ids below ", end, ", is ", Dump(field)));
      return {};
    }
    ids.push_back(id.get<int64_t>());
  }
  return ids;
}

std::optional<std::vector<std::string>> ConfigFields::Texts(
    const std::string& field) {
  const json* const value = json_->Find(field);
  if (value == nullptr) return std::nullopt;
  const bool fits =
      value->is_array() &&
      std::all_of(value->begin(), value->end(),
                  [](const json& item) { return item.is_string(); });
  if (!fits) {
    Fail(field, absl::StrCat("must be a list of strings, is ", Dump(field)));
    return std::nullopt;
  }
  return value->get<std::vector<std::string>>();
}

void ConfigFields::RowsAndColumns(const std::string& field, int64_t* rows,
                                  int64_t* columns) {
  const json* const value = json_->Find(field);
  if (value == nullptr) return;
  const auto fits = [](const json& size) {
    return size.is_number_integer() && size >= 1 && size <= kMaxSize;
  };
  if (!value->is_array() || value->size() != 2 || !fits((*value)[0]) ||
      !fits((*value)[1])) {
    Fail(field, absl::StrCat("must be [rows, columns], is ", Dump(field)));
    return;
  }
  *rows = (*value)[0].get<int64_t>();
  *columns = (*value)[1].get<int64_t>();
}

ConfigFields ConfigFields::Object(const std::string& field) {
  const json* const value = json_->Find(field);
  Json inner = {json::object()};
  if (value != nullptr && value->is_object()) {
    inner.object = *value;
  } else if (value != nullptr) {
    Fail(field, "must be an object or null");
  }
  return {std::make_shared<const Json>(std::move(inner)),
          absl::StrCat(path_, ": ", field)};
}

void ConfigFields::NotBuilt(const std::string& field,
                            const std::string& built) {
  Fail(field,
       absl::StrCat(Dump(field), " is not supported (only ", built, ")"));
}

void ConfigFields::Only(const std::string& field, bool built) {
  const json* const value = json_->Find(field);
  if (value != nullptr && *value != built) {
    NotBuilt(field, built ? "true" : "false");
  }
}

void ConfigFields::Only(const std::string& field, double built) {
  const json* const value = json_->Find(field);
  if (value != nullptr && *value != built) {
    NotBuilt(field, absl::StrCat(built));
  }
}

void ConfigFields::Only(const std::string& field, const char* built) {
  const json* const value = json_->Find(field);
  if (value != nullptr && *value != built) {
    NotBuilt(field, absl::StrCat("\"", built, "\""));
  }
}

void ConfigFields::Absent(const std::string& field) {
  if (Has(field)) Fail(field, "is not supported");
}

void ConfigFields::OnlyLayers(const std::string& field,
                              const std::string& built) {
  const auto layers = Texts(field);
  if (!layers.has_value()) return;
  for (const std::string& layer : *layers) {
    if (layer == built) continue;
    Fail(field,
         absl::StrCat("holds \"", layer, "\", which is not supported (only \"",
                      built, "\")"));
  }
}

void ConfigFields::NoObjects(const std::string& reason) {
  for (const auto& [name, value] : json_->object.items()) {
    if (value.is_object()) Fail(name, absl::StrCat("is an object: ", reason));
  }
}

}  // namespace cohort
