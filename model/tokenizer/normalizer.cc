#include "model/tokenizer/normalizer.h"

#include <unicode/uchar.h>

#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/tokenizer/byte_level.h"
#include "model/tokenizer/pattern.h"
#include "model/tokenizer/unicode.h"
#include "model/tokenizer/unicode_form.h"
#include "proto/status.h"

namespace cohort {
namespace {

constexpr int kDeepestNesting = 16;

class LowercaseNormalizer : public Normalizer {
 public:
  absl::Status Apply(RegexScratch* /*scratch*/,
                     NormalizedText* text) const override {
    text->Set(Lowercase(text->text));
    return absl::OkStatus();
  }
};

class StripNormalizer : public Normalizer {
 public:
  StripNormalizer(bool left, bool right) : left_(left), right_(right) {}

  absl::Status Apply(RegexScratch* /*scratch*/,
                     NormalizedText* text) const override {
    std::string_view rest = text->text;
    while (left_ && !rest.empty()) {
      size_t place = 0;
      if (!IsWhitespace(NextCharacter(rest, &place))) break;
      rest.remove_prefix(place);
      text->at_start = false;
    }
    while (right_ && !rest.empty()) {
      size_t last = rest.size() - 1;
      while ((static_cast<uint8_t>(rest[last]) & 0xC0) == 0x80) --last;
      size_t place = last;
      if (!IsWhitespace(NextCharacter(rest, &place))) break;
      rest.remove_suffix(rest.size() - last);
    }
    text->text = rest;
    return absl::OkStatus();
  }

 private:
  bool left_;
  bool right_;
};

// Maps every character to another one or to none.
class CharacterNormalizer : public Normalizer {
 public:
  using Map = std::optional<char32_t> (*)(char32_t);
  explicit CharacterNormalizer(Map map) : map_(map) {}

  absl::Status Apply(RegexScratch* /*scratch*/,
                     NormalizedText* text) const override {
    std::string mapped;
    mapped.reserve(text->text.size());
    size_t place = 0;
    while (place < text->text.size()) {
      const bool first = place == 0;
      const std::optional<char32_t> c = map_(NextCharacter(text->text, &place));
      if (c) AppendUtf8(*c, &mapped);
      if (first && !c) text->at_start = false;
    }
    text->Set(std::move(mapped));
    return absl::OkStatus();
  }

 private:
  Map map_;
};

// Combining marks of Unicode 9.
std::optional<char32_t> WithoutMarks(char32_t c) {
  UVersionInfo age;
  u_charAge(static_cast<UChar32>(c), age);
  const bool mark = (U_GET_GC_MASK(static_cast<UChar32>(c)) & U_GC_M_MASK) != 0;
  if (mark && age[0] <= 9) return std::nullopt;
  return c;
}

// Control characters go, what counts as a space becomes one (as for NMT).
std::optional<char32_t> NmtCharacter(char32_t c) {
  if ((c >= 0x1 && c <= 0x8) || c == 0xB || (c >= 0xE && c <= 0x1F) ||
      c == 0x7F || c == 0x8F || c == 0x9F) {
    return std::nullopt;
  }
  if (c == 0x9 || c == 0xA || c == 0xC || c == 0xD || c == 0x1680 ||
      (c >= 0x200B && c <= 0x200F) || c == 0x2028 || c == 0x2029 ||
      c == 0x2581 || c == 0xFEFF || c == 0xFFFD) {
    return ' ';
  }
  return c;
}

class PrependNormalizer : public Normalizer {
 public:
  explicit PrependNormalizer(std::string prefix) : prefix_(std::move(prefix)) {}

  absl::Status Apply(RegexScratch* /*scratch*/,
                     NormalizedText* text) const override {
    if (!text->text.empty()) {
      text->Set(absl::StrCat(prefix_, std::string(text->text)));
    }
    return absl::OkStatus();
  }

 private:
  std::string prefix_;
};

class ReplaceNormalizer : public Normalizer {
 public:
  ReplaceNormalizer(Pattern pattern, std::string content)
      : pattern_(std::move(pattern)), content_(std::move(content)) {}

  absl::Status Apply(RegexScratch* scratch,
                     NormalizedText* text) const override {
    if (text->text.empty()) return absl::OkStatus();
    std::vector<Span> matches;
    COHORT_RETURN_IF_ERROR(
        pattern_.FindAll(text->text, text->has_additions, scratch, &matches));
    if (matches.empty()) return absl::OkStatus();
    // What replaces a match stands where the match's last character stood.
    size_t place = 0;
    if (matches[0].begin == 0 && matches[0].end > 0) {
      NextCharacter(text->text, &place);
      if (content_.empty() || matches[0].end > place) text->at_start = false;
    }
    COHORT_ASSIGN_OR_RETURN(
        std::string replaced,
        ReplaceSpans(text->text, matches, content_, text->most_bytes));
    text->Set(std::move(replaced));
    return absl::OkStatus();
  }

 private:
  Pattern pattern_;
  std::string content_;
};

class ByteLevelNormalizer : public Normalizer {
 public:
  absl::Status Apply(RegexScratch* /*scratch*/,
                     NormalizedText* text) const override {
    std::string characters;
    AppendByteCharacters(text->text, &characters);
    text->Set(std::move(characters));
    return absl::OkStatus();
  }
};

class SequenceNormalizer : public Normalizer {
 public:
  explicit SequenceNormalizer(std::vector<std::unique_ptr<Normalizer>> parts)
      : parts_(std::move(parts)) {}

  absl::Status Apply(RegexScratch* scratch,
                     NormalizedText* text) const override {
    for (const auto& part : parts_) {
      COHORT_RETURN_IF_ERROR(part->Apply(scratch, text));
      if (text->text.size() > text->most_bytes) {
        return GrowsTooLong(text->most_bytes);
      }
    }
    return absl::OkStatus();
  }

 private:
  std::vector<std::unique_ptr<Normalizer>> parts_;
};

absl::StatusOr<std::unique_ptr<Normalizer>> ParseAt(const JsonPart& component,
                                                    int depth) {
  COHORT_ASSIGN_OR_RETURN(const std::string type, component.Type());
  if (type == "Sequence") {
    if (depth == kDeepestNesting) return component.Wrong("nested too deeply");
    COHORT_ASSIGN_OR_RETURN(const std::vector<JsonPart> list,
                            component.List("normalizers"));
    std::vector<std::unique_ptr<Normalizer>> parts;
    for (const JsonPart& part : list) {
      COHORT_ASSIGN_OR_RETURN(parts.emplace_back(), ParseAt(part, depth + 1));
    }
    return std::make_unique<SequenceNormalizer>(std::move(parts));
  }
  if (type == "NFC" || type == "NFD" || type == "NFKC" || type == "NFKD") {
    return MakeUnicodeForm(type);
  }
  if (type == "Lowercase") return std::make_unique<LowercaseNormalizer>();
  if (type == "Strip") {
    COHORT_ASSIGN_OR_RETURN(const bool left,
                            component.Flag("strip_left", true));
    COHORT_ASSIGN_OR_RETURN(const bool right,
                            component.Flag("strip_right", true));
    return std::make_unique<StripNormalizer>(left, right);
  }
  if (type == "StripAccents") {
    return std::make_unique<CharacterNormalizer>(&WithoutMarks);
  }
  if (type == "Nmt") {
    return std::make_unique<CharacterNormalizer>(&NmtCharacter);
  }
  if (type == "Prepend") {
    COHORT_ASSIGN_OR_RETURN(std::string prefix, component.Text("prepend"));
    return std::make_unique<PrependNormalizer>(std::move(prefix));
  }
  if (type == "Replace") {
    COHORT_ASSIGN_OR_RETURN(Pattern pattern, Pattern::Parse(component));
    COHORT_ASSIGN_OR_RETURN(std::string content, component.Text("content"));
    return std::make_unique<ReplaceNormalizer>(std::move(pattern),
                                               std::move(content));
  }
  if (type == "ByteLevel") return std::make_unique<ByteLevelNormalizer>();
  return component.NotBuilt(absl::StrCat("type ", type));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Normalizer>> Normalizer::Parse(
    const JsonPart& component) {
  return ParseAt(component, 0);
}

}  // namespace cohort
