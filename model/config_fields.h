// Reads the fields of a config.json one by one.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace cohort {

inline constexpr int64_t kMaxSize = int64_t{1} << 24;
inline constexpr int64_t kMaxLayers = 4096;

// Keeps the first error, which names the file and the field; later reads then
// give something harmless. Null counts as absent.
class ConfigFields {
 public:
  // `path` names the file in errors. kInvalidArgument where `text` is no JSON
  // object.
  static absl::StatusOr<ConfigFields> Parse(const std::string& text,
                                            const std::string& path);

  const absl::Status& status() const { return status_; }
  void Fail(const std::string& field, const std::string& what);
  // Takes over what was wrong in an object inside this one.
  void Adopt(const ConfigFields& inner) { status_.Update(inner.status_); }

  bool Has(const std::string& field) const;

  // Without `absent` a field that is not there is an error.
  int64_t Integer(const std::string& field, int64_t low, int64_t high,
                  std::optional<int64_t> absent = std::nullopt);
  double Number(const std::string& field, double low, double high,
                std::optional<double> absent = std::nullopt);
  bool Bool(const std::string& field, bool absent);
  std::string Text(const std::string& field, const std::string& absent);

  // An integer from 1 that memory arithmetic can multiply.
  int64_t Size(const std::string& field,
               std::optional<int64_t> absent = std::nullopt);

  // One id, or a list of ids, from 0 to `end` - 1; absent: empty.
  std::vector<int64_t> Ids(const std::string& field, int64_t end);
  // A list of texts; absent: none.
  std::optional<std::vector<std::string>> Texts(const std::string& field);
  // A list of two sizes; absent: both stay as they are.
  void RowsAndColumns(const std::string& field, int64_t* rows,
                      int64_t* columns);
  // The object in a field; absent: one without fields.
  ConfigFields Object(const std::string& field);

  // What is not built may be written down only with the value that is.
  void Only(const std::string& field, bool built);
  void Only(const std::string& field, double built);
  void Only(const std::string& field, const char* built);
  void Absent(const std::string& field);
  // A list with an entry per layer may hold nothing but `built`.
  void OnlyLayers(const std::string& field, const std::string& built);
  // No field of this may be an object.
  void NoObjects(const std::string& reason);

 private:
  struct Json;

  ConfigFields(std::shared_ptr<const Json> json, std::string path);
  // What a field holds, as JSON.
  std::string Dump(const std::string& field) const;
  void NotBuilt(const std::string& field, const std::string& built);

  std::shared_ptr<const Json> json_;  // Never changed; copies share it.
  std::string path_;
  absl::Status status_;
};

}  // namespace cohort
