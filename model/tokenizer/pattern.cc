#include "model/tokenizer/pattern.h"

#include "absl/strings/str_cat.h"
#include "proto/status.h"

namespace cohort {

absl::StatusOr<Pattern> Pattern::Parse(const JsonPart& component) {
  COHORT_ASSIGN_OR_RETURN(const JsonPart part, component.Member("pattern"));
  Pattern pattern;
  if (part.Has("String")) {
    COHORT_ASSIGN_OR_RETURN(pattern.literal_, part.Text("String"));
    // Matches nothing everywhere, which is the regular expression's business.
    if (!pattern.literal_.empty()) return pattern;
  } else if (!part.Has("Regex")) {
    return part.Wrong("needs String or Regex");
  }
  COHORT_ASSIGN_OR_RETURN(const std::string text, part.Text("Regex", ""));
  absl::StatusOr<Regex> regex = Regex::Compile(text);
  if (!regex.ok()) {
    return absl::Status(
        regex.status().code(),
        part.Wrong(std::string(regex.status().message())).message());
  }
  pattern.regex_ = *std::move(regex);
  return pattern;
}

absl::StatusOr<Pattern> Pattern::OfRegex(std::string_view regex) {
  Pattern pattern;
  COHORT_ASSIGN_OR_RETURN(pattern.regex_, Regex::Compile(regex));
  return pattern;
}

absl::Status Pattern::FindAll(std::string_view text, bool has_additions,
                              RegexScratch* scratch,
                              std::vector<Span>* matches) const {
  if (regex_) return regex_->FindAll(text, has_additions, scratch, matches);
  size_t from = 0;
  while ((from = text.find(literal_, from)) != std::string_view::npos) {
    matches->push_back({from, from + literal_.size()});
    from += literal_.size();
  }
  return absl::OkStatus();
}

absl::Status GrowsTooLong(size_t most_bytes) {
  return absl::ResourceExhaustedError(
      absl::StrCat("a text grows beyond ", most_bytes, " bytes"));
}

absl::StatusOr<std::string> ReplaceSpans(std::string_view text,
                                         const std::vector<Span>& spans,
                                         std::string_view content,
                                         size_t most_bytes) {
  size_t bytes = text.size() + spans.size() * content.size();
  for (const Span& span : spans) bytes -= span.end - span.begin;
  if (bytes > most_bytes) return GrowsTooLong(most_bytes);
  std::string replaced;
  replaced.reserve(bytes);
  size_t done = 0;
  for (const Span& span : spans) {
    replaced.append(text.substr(done, span.begin - done)).append(content);
    done = span.end;
  }
  replaced.append(text.substr(done));
  return replaced;
}

}  // namespace cohort
