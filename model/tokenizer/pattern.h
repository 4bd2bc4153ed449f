// The patterns of Split and Replace: a text or a regular expression.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "model/tokenizer/json_part.h"
#include "model/tokenizer/regex.h"

namespace cohort {

// Thread-safe.
class Pattern {
 public:
  // From {"String": text} or {"Regex": pattern} in the member "pattern".
  static absl::StatusOr<Pattern> Parse(const JsonPart& component);
  static absl::StatusOr<Pattern> OfRegex(std::string_view regex);

  // Then FindAll needs no scratch.
  bool is_text() const { return !regex_; }

  // As Regex::FindAll.
  absl::Status FindAll(std::string_view text, bool has_additions,
                       RegexScratch* scratch, std::vector<Span>* matches) const;

 private:
  std::string literal_;  // When there is no regex; never empty.
  std::optional<Regex> regex_;
};

// `text` with `content` in the place of every span.
//   kResourceExhausted  that is more than `most_bytes`
absl::StatusOr<std::string> ReplaceSpans(std::string_view text,
                                         const std::vector<Span>& spans,
                                         std::string_view content,
                                         size_t most_bytes);

absl::Status GrowsTooLong(size_t most_bytes);

}  // namespace cohort
