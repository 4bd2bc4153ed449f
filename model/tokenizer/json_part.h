// A part of tokenizer.json that knows where it stands, for errors that say so.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace cohort {

// Points into the parsed file, which must outlive it. What is absent and what
// is null are the same. A value of another type than asked for is
// kInvalidArgument.
class JsonPart {
 public:
  // The whole file, named `file` in errors.
  JsonPart(const nlohmann::json* value, std::string file)
      : value_(value), file_(std::move(file)) {}

  const nlohmann::json& value() const { return *value_; }

  // An entry of this list.
  JsonPart Entry(size_t i) const;

  // kInvalidArgument, kUnimplemented: "<file>: <path>: <what>", "... is not
  // supported".
  absl::Status Wrong(std::string_view what) const;
  absl::Status NotBuilt(std::string_view what) const;

  bool Has(const char* name) const;

  // Of a component: its "type".
  absl::StatusOr<std::string> Type() const;

  // Requires that it is there; else kInvalidArgument.
  absl::StatusOr<JsonPart> Member(const char* name) const;
  absl::StatusOr<std::string> Text(const char* name) const;
  absl::StatusOr<char32_t> Character(const char* name) const;
  absl::StatusOr<std::vector<JsonPart>> List(const char* name) const;

  // In [0, limit).
  absl::StatusOr<int64_t> Number(const char* name, int64_t limit) const;

  // `otherwise` when it is absent.
  absl::StatusOr<bool> Flag(const char* name, bool otherwise) const;
  absl::StatusOr<std::string> Text(const char* name,
                                   std::string_view otherwise) const;

 private:
  std::string Place() const;

  const nlohmann::json* value_;
  std::string file_;
  std::string path_;  // "pre_tokenizer.pretokenizers[1]"; empty for the whole.
};

}  // namespace cohort
