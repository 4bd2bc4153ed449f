#include "model/tokenizer/pre_tokenizer.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/tokenizer/byte_level.h"
#include "model/tokenizer/pattern.h"
#include "model/tokenizer/unicode.h"
#include "proto/status.h"

namespace cohort {
namespace {

constexpr int kDeepestNesting = 16;

using Step = PreTokenizer::Step;
using Steps = std::vector<std::unique_ptr<Step>>;

// A step that keeps the text and cuts every piece on its own.
class CuttingStep : public Step {
 public:
  absl::Status Apply(Pieces* pieces) const final {
    pieces->next_spans.clear();
    for (size_t i = 0; i < pieces->spans.size(); ++i) {
      COHORT_RETURN_IF_ERROR(Cut(i, pieces));
    }
    if (pieces->first_at_start) {
      pieces->first_at_start =
          !pieces->spans.empty() && !pieces->next_spans.empty() &&
          pieces->next_spans[0].begin == pieces->spans[0].begin;
    }
    pieces->Advance(pieces->text);
    return absl::OkStatus();
  }

 private:
  // Appends the parts of piece `i` to next_spans.
  virtual absl::Status Cut(size_t i, Pieces* pieces) const = 0;
};

class SplitStep : public CuttingStep {
 public:
  SplitStep(Pattern pattern, SplitBehavior behavior, bool invert)
      : pattern_(std::move(pattern)), behavior_(behavior), invert_(invert) {}

 private:
  absl::Status Cut(size_t i, Pieces* pieces) const override {
    const std::string_view piece = pieces->PieceAt(i);
    pieces->matches.clear();
    COHORT_RETURN_IF_ERROR(pattern_.FindAll(piece, pieces->has_additions,
                                            &pieces->regex, &pieces->matches));
    Splitter splitter(behavior_, pieces->spans[i].begin, &pieces->next_spans);
    size_t done = 0;
    for (const Span& match : pieces->matches) {
      if (match.begin > done) splitter.Add({done, match.begin}, invert_);
      splitter.Add(match, !invert_);
      done = match.end;
    }
    if (done < piece.size()) splitter.Add({done, piece.size()}, invert_);
    splitter.Finish();
    return absl::OkStatus();
  }

  Pattern pattern_;
  SplitBehavior behavior_;
  bool invert_;
};

// Splits at every character of a kind.
template <typename Predicate>
class CharacterStep : public CuttingStep {
 public:
  CharacterStep(Predicate predicate, SplitBehavior behavior)
      : predicate_(predicate), behavior_(behavior) {}

 private:
  absl::Status Cut(size_t i, Pieces* pieces) const override {
    const std::string_view piece = pieces->PieceAt(i);
    Splitter splitter(behavior_, pieces->spans[i].begin, &pieces->next_spans);
    size_t done = 0;
    size_t place = 0;
    while (place < piece.size()) {
      const size_t begin = place;
      if (!predicate_(NextCharacter(piece, &place))) continue;
      if (begin > done) splitter.Add({done, begin}, false);
      splitter.Add({begin, place}, true);
      done = place;
    }
    if (done < piece.size()) splitter.Add({done, piece.size()}, false);
    splitter.Finish();
    return absl::OkStatus();
  }

  Predicate predicate_;
  SplitBehavior behavior_;
};

template <typename Predicate>
std::unique_ptr<Step> AtCharacters(Predicate predicate,
                                   SplitBehavior behavior) {
  return std::make_unique<CharacterStep<Predicate>>(predicate, behavior);
}

// Runs of word characters and runs of what is neither word nor space.
class WordsStep : public CuttingStep {
 private:
  enum class Kind { kSpace, kWord, kOther };

  static Kind KindOf(char32_t c) {
    if (IsWordCharacter(c)) return Kind::kWord;
    return IsWhitespace(c) ? Kind::kSpace : Kind::kOther;
  }

  absl::Status Cut(size_t i, Pieces* pieces) const override {
    const std::string_view piece = pieces->PieceAt(i);
    const size_t base = pieces->spans[i].begin;
    Kind run = Kind::kSpace;
    size_t begin = 0;
    const auto end_run = [&](size_t end) {
      if (run != Kind::kSpace) {
        pieces->next_spans.push_back({base + begin, base + end});
      }
    };
    size_t place = 0;
    while (place < piece.size()) {
      const size_t here = place;
      const Kind kind = KindOf(NextCharacter(piece, &place));
      if (kind == run) continue;
      end_run(here);
      run = kind;
      begin = here;
    }
    end_run(piece.size());
    return absl::OkStatus();
  }
};

class FixedLengthStep : public CuttingStep {
 public:
  explicit FixedLengthStep(int64_t length) : length_(length) {}

 private:
  absl::Status Cut(size_t i, Pieces* pieces) const override {
    const std::string_view piece = pieces->PieceAt(i);
    const size_t base = pieces->spans[i].begin;
    size_t place = 0;
    while (place < piece.size()) {
      const size_t begin = place;
      for (int64_t n = 0; n < length_ && place < piece.size(); ++n) {
        NextCharacter(piece, &place);
      }
      pieces->next_spans.push_back({base + begin, base + place});
    }
    return absl::OkStatus();
  }

  int64_t length_;
};

// A step that writes every piece anew, into one piece.
class WritingStep : public Step {
 public:
  absl::Status Apply(Pieces* pieces) const final {
    std::string* const text = pieces->FreeText();
    pieces->next_spans.clear();
    for (size_t i = 0; i < pieces->spans.size(); ++i) {
      const size_t begin = text->size();
      Write(pieces->PieceAt(i), i == 0 && pieces->first_at_start, text);
      pieces->next_spans.push_back({begin, text->size()});
      if (text->size() > pieces->most_bytes) {
        return GrowsTooLong(pieces->most_bytes);
      }
    }
    pieces->Advance(*text);
    return absl::OkStatus();
  }

 private:
  // Appends what becomes of `piece`. `at_start`: it begins the whole text.
  virtual void Write(std::string_view piece, bool at_start,
                     std::string* text) const = 0;
};

class PrefixSpaceStep : public WritingStep {
 private:
  void Write(std::string_view piece, bool /*at_start*/,
             std::string* text) const override {
    if (!piece.starts_with(' ')) text->push_back(' ');
    text->append(piece);
  }
};

class ByteCharactersStep : public WritingStep {
 private:
  void Write(std::string_view piece, bool /*at_start*/,
             std::string* text) const override {
    AppendByteCharacters(piece, text);
  }
};

enum class PrependScheme { kAlways, kFirst, kNever };

class MetaspaceStep : public WritingStep {
 public:
  MetaspaceStep(std::string replacement, PrependScheme scheme)
      : replacement_(std::move(replacement)), scheme_(scheme) {}

 private:
  void Write(std::string_view piece, bool at_start,
             std::string* text) const override {
    const bool wanted = scheme_ == PrependScheme::kAlways ||
                        (scheme_ == PrependScheme::kFirst && at_start);
    if (wanted && !piece.starts_with(' ') && !piece.starts_with(replacement_)) {
      text->append(replacement_);
    }
    for (const char byte : piece) {
      if (byte == ' ') {
        text->append(replacement_);
      } else {
        text->push_back(byte);
      }
    }
  }

  std::string replacement_;
  PrependScheme scheme_;
};

absl::Status AddMetaspace(const JsonPart& component, Steps* steps) {
  COHORT_ASSIGN_OR_RETURN(const char32_t replacement,
                          component.Character("replacement"));
  COHORT_ASSIGN_OR_RETURN(const std::string name,
                          component.Text("prepend_scheme", "always"));
  COHORT_ASSIGN_OR_RETURN(const bool prefix,
                          component.Flag("add_prefix_space", true));
  COHORT_ASSIGN_OR_RETURN(const bool split, component.Flag("split", true));
  if (name != "always" && name != "first" && name != "never") {
    return component.Wrong(absl::StrCat("unknown prepend_scheme ", name));
  }
  if (!prefix && name != "never") {
    return component.Wrong("add_prefix_space contradicts prepend_scheme");
  }
  std::string text;
  AppendUtf8(replacement, &text);
  steps->push_back(std::make_unique<MetaspaceStep>(
      text, name == "always"  ? PrependScheme::kAlways
            : name == "first" ? PrependScheme::kFirst
                              : PrependScheme::kNever));
  if (split) {
    steps->push_back(
        AtCharacters([replacement](char32_t c) { return c == replacement; },
                     SplitBehavior::kMergedWithNext));
  }
  return absl::OkStatus();
}

absl::Status AddByteLevel(const JsonPart& component, Steps* steps) {
  COHORT_ASSIGN_OR_RETURN(const bool prefix,
                          component.Flag("add_prefix_space", true));
  COHORT_ASSIGN_OR_RETURN(const bool words, component.Flag("use_regex", true));
  if (prefix) steps->push_back(std::make_unique<PrefixSpaceStep>());
  if (words) {
    COHORT_ASSIGN_OR_RETURN(Pattern pattern, Pattern::OfRegex(kGpt2Words));
    steps->push_back(std::make_unique<SplitStep>(
        std::move(pattern), SplitBehavior::kIsolated, false));
  }
  steps->push_back(std::make_unique<ByteCharactersStep>());
  return absl::OkStatus();
}

absl::Status AddSplit(const JsonPart& component, Steps* steps) {
  COHORT_ASSIGN_OR_RETURN(Pattern pattern, Pattern::Parse(component));
  COHORT_ASSIGN_OR_RETURN(const SplitBehavior behavior,
                          ParseSplitBehavior(component, ""));
  COHORT_ASSIGN_OR_RETURN(const bool invert, component.Flag("invert", false));
  steps->push_back(
      std::make_unique<SplitStep>(std::move(pattern), behavior, invert));
  return absl::OkStatus();
}

// The types without parameters that reach into other parts.
absl::Status AddCharacterKind(const JsonPart& component,
                              const std::string& type, Steps* steps) {
  if (type == "Digits") {
    COHORT_ASSIGN_OR_RETURN(const bool single,
                            component.Flag("individual_digits", false));
    steps->push_back(
        AtCharacters(&IsNumeric, single ? SplitBehavior::kIsolated
                                        : SplitBehavior::kContiguous));
  } else if (type == "Punctuation") {
    COHORT_ASSIGN_OR_RETURN(const SplitBehavior behavior,
                            ParseSplitBehavior(component, "Isolated"));
    steps->push_back(AtCharacters(&IsPunctuation, behavior));
  } else if (type == "WhitespaceSplit" || type == "BertPreTokenizer") {
    steps->push_back(AtCharacters(&IsWhitespace, SplitBehavior::kRemoved));
    if (type == "BertPreTokenizer") {
      steps->push_back(AtCharacters(&IsPunctuation, SplitBehavior::kIsolated));
    }
  } else if (type == "Whitespace") {
    steps->push_back(std::make_unique<WordsStep>());
  } else if (type == "CharDelimiterSplit" || type == "Delimiter") {
    COHORT_ASSIGN_OR_RETURN(const char32_t delimiter,
                            component.Character("delimiter"));
    steps->push_back(
        AtCharacters([delimiter](char32_t c) { return c == delimiter; },
                     SplitBehavior::kRemoved));
  } else if (type == "FixedLength") {
    constexpr int64_t kLongest = 1 << 20;
    int64_t length = 5;
    if (component.Has("length")) {
      COHORT_ASSIGN_OR_RETURN(length, component.Number("length", kLongest));
    }
    if (length == 0) return component.Wrong("length must be positive");
    steps->push_back(std::make_unique<FixedLengthStep>(length));
  } else {
    return component.NotBuilt(absl::StrCat("type ", type));
  }
  return absl::OkStatus();
}

absl::Status AddSteps(const JsonPart& component, int depth, Steps* steps) {
  COHORT_ASSIGN_OR_RETURN(const std::string type, component.Type());
  if (type == "Split") return AddSplit(component, steps);
  if (type == "ByteLevel") return AddByteLevel(component, steps);
  if (type == "Metaspace") return AddMetaspace(component, steps);
  if (type != "Sequence") return AddCharacterKind(component, type, steps);
  if (depth == kDeepestNesting) return component.Wrong("nested too deeply");
  COHORT_ASSIGN_OR_RETURN(const std::vector<JsonPart> parts,
                          component.List("pretokenizers"));
  for (const JsonPart& part : parts) {
    COHORT_RETURN_IF_ERROR(AddSteps(part, depth + 1, steps));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<PreTokenizer> PreTokenizer::Parse(const JsonPart& component) {
  PreTokenizer result;
  COHORT_RETURN_IF_ERROR(AddSteps(component, 0, &result.steps_));
  result.ends_in_byte_characters_ =
      !result.steps_.empty() &&
      dynamic_cast<ByteCharactersStep*>(result.steps_.back().get()) != nullptr;
  return result;
}

void PreTokenizer::LeaveBytes() {
  if (ends_in_byte_characters_) steps_.pop_back();
  ends_in_byte_characters_ = false;
}

absl::Status PreTokenizer::Apply(Pieces* pieces) const {
  for (const std::unique_ptr<Step>& step : steps_) {
    COHORT_RETURN_IF_ERROR(step->Apply(pieces));
  }
  return absl::OkStatus();
}

}  // namespace cohort
