// The "normalizer" of tokenizer.json: rewrites the text before it is cut.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/tokenizer/json_part.h"
#include "model/tokenizer/regex.h"

namespace cohort {

// A text on its way through normalizers; copied only when one changes it.
struct NormalizedText {
  std::string_view text;
  bool at_start = false;       // Its first character begins the whole text.
  bool has_additions = false;  // CheckText's.
  size_t most_bytes = 0;       // MostRewrittenBytes of the original.
  std::string storage;         // What `text` points into once it was changed.

  void Set(std::string changed) {
    storage = std::move(changed);
    text = storage;
  }
};

// Thread-safe. Requires well-formed UTF-8.
//   kResourceExhausted  the text grows beyond most_bytes, or Regex::FindAll's
class Normalizer {
 public:
  // kUnimplemented naming a type that is not built.
  static absl::StatusOr<std::unique_ptr<Normalizer>> Parse(
      const JsonPart& component);

  virtual ~Normalizer() = default;
  virtual absl::Status Apply(RegexScratch* scratch,
                             NormalizedText* text) const = 0;
};

}  // namespace cohort
