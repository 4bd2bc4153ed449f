#include "model/tokenizer/decoder.h"

#include <charconv>
#include <optional>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "model/tokenizer/byte_level.h"
#include "model/tokenizer/pattern.h"
#include "model/tokenizer/unicode.h"
#include "model/utf8.h"
#include "proto/status.h"

namespace cohort {
namespace {

constexpr int kDeepestNesting = 16;

class ByteLevelDecoder : public Decoder {
 public:
  absl::Status Apply(size_t /*most_bytes*/,
                     std::vector<std::string>* texts) const override {
    std::string bytes;
    for (const std::string& text : *texts) {
      if (!AppendCharacterBytes(text, &bytes)) bytes += text;
    }
    *texts = {ToValidUtf8(bytes)};
    return absl::OkStatus();
  }
};

class FuseDecoder : public Decoder {
 public:
  absl::Status Apply(size_t /*most_bytes*/,
                     std::vector<std::string>* texts) const override {
    *texts = {absl::StrJoin(*texts, "")};
    return absl::OkStatus();
  }
};

// "<0xE4>" to its byte; a run of them that is no UTF-8 to one U+FFFD each.
class ByteFallbackDecoder : public Decoder {
 public:
  absl::Status Apply(size_t /*most_bytes*/,
                     std::vector<std::string>* texts) const override {
    std::vector<std::string> result;
    std::string bytes;
    const auto end_run = [&] {
      if (bytes.empty()) return;
      if (CheckText(bytes).valid_bytes == bytes.size()) {
        result.push_back(bytes);
      } else {
        result.insert(result.end(), bytes.size(), std::string(kReplacement));
      }
      bytes.clear();
    };
    for (std::string& text : *texts) {
      if (const std::optional<char> byte = ByteOf(text)) {
        bytes.push_back(*byte);
        continue;
      }
      end_run();
      result.push_back(std::move(text));
    }
    end_run();
    *texts = std::move(result);
    return absl::OkStatus();
  }

 private:
  static std::optional<char> ByteOf(std::string_view text) {
    if (text.size() != 6 || !text.starts_with("<0x") || !text.ends_with('>')) {
      return std::nullopt;
    }
    uint8_t byte = 0;
    // A sign before the one digit is read too, as by Rust's from_str_radix.
    const char* const begin = text.data() + (text[3] == '+' ? 4 : 3);
    const auto [end, error] = std::from_chars(begin, text.data() + 5, byte, 16);
    if (error != std::errc() || end != text.data() + 5) return std::nullopt;
    return static_cast<char>(byte);
  }
};

class ReplaceDecoder : public Decoder {
 public:
  ReplaceDecoder(Pattern pattern, std::string content)
      : pattern_(std::move(pattern)), content_(std::move(content)) {}

  absl::Status Apply(size_t most_bytes,
                     std::vector<std::string>* texts) const override {
    std::optional<RegexScratch> scratch;
    if (!pattern_.is_text()) scratch.emplace();
    std::vector<Span> matches;
    for (std::string& text : *texts) {
      matches.clear();
      if (text.empty()) continue;
      COHORT_RETURN_IF_ERROR(
          pattern_.FindAll(text, CheckText(text).has_additions,
                           scratch ? &*scratch : nullptr, &matches));
      if (matches.empty()) continue;
      COHORT_ASSIGN_OR_RETURN(
          text, ReplaceSpans(text, matches, content_, most_bytes));
    }
    return absl::OkStatus();
  }

 private:
  Pattern pattern_;
  std::string content_;
};

// Takes up to `start` and `stop` times one character off the ends of each text.
class StripDecoder : public Decoder {
 public:
  StripDecoder(std::string character, int64_t start, int64_t stop)
      : character_(std::move(character)), start_(start), stop_(stop) {}

  absl::Status Apply(size_t /*most_bytes*/,
                     std::vector<std::string>* texts) const override {
    for (std::string& text : *texts) {
      std::string_view rest = text;
      for (int64_t i = 0; i < start_ && rest.starts_with(character_); ++i) {
        rest.remove_prefix(character_.size());
      }
      for (int64_t i = 0; i < stop_ && rest.ends_with(character_); ++i) {
        rest.remove_suffix(character_.size());
      }
      text = std::string(rest);
    }
    return absl::OkStatus();
  }

 private:
  std::string character_;
  int64_t start_;
  int64_t stop_;
};

class MetaspaceDecoder : public Decoder {
 public:
  MetaspaceDecoder(std::string replacement, bool prepended)
      : replacement_(std::move(replacement)), prepended_(prepended) {}

  absl::Status Apply(size_t /*most_bytes*/,
                     std::vector<std::string>* texts) const override {
    for (size_t i = 0; i < texts->size(); ++i) {
      std::string& text = (*texts)[i];
      text = absl::StrReplaceAll(
          text, {{replacement_, i == 0 && prepended_ ? "" : " "}});
    }
    return absl::OkStatus();
  }

 private:
  std::string replacement_;
  bool prepended_;
};

// Ends of words become spaces, but not at the end of the text.
class SuffixDecoder : public Decoder {
 public:
  explicit SuffixDecoder(std::string suffix) : suffix_(std::move(suffix)) {}

  absl::Status Apply(size_t /*most_bytes*/,
                     std::vector<std::string>* texts) const override {
    for (size_t i = 0; i < texts->size(); ++i) {
      std::string& text = (*texts)[i];
      text = absl::StrReplaceAll(
          text, {{suffix_, i + 1 == texts->size() ? "" : " "}});
    }
    return absl::OkStatus();
  }

 private:
  std::string suffix_;
};

class SequenceDecoder : public Decoder {
 public:
  explicit SequenceDecoder(std::vector<std::unique_ptr<Decoder>> parts)
      : parts_(std::move(parts)) {}

  absl::Status Apply(size_t most_bytes,
                     std::vector<std::string>* texts) const override {
    for (const std::unique_ptr<Decoder>& part : parts_) {
      COHORT_RETURN_IF_ERROR(part->Apply(most_bytes, texts));
    }
    return absl::OkStatus();
  }

 private:
  std::vector<std::unique_ptr<Decoder>> parts_;
};

absl::StatusOr<std::unique_ptr<Decoder>> ParseStrip(const JsonPart& component) {
  COHORT_ASSIGN_OR_RETURN(const char32_t content,
                          component.Character("content"));
  constexpr int64_t kMost = int64_t{1} << 31;
  COHORT_ASSIGN_OR_RETURN(const int64_t start,
                          component.Number("start", kMost));
  COHORT_ASSIGN_OR_RETURN(const int64_t stop, component.Number("stop", kMost));
  std::string character;
  AppendUtf8(content, &character);
  return std::make_unique<StripDecoder>(std::move(character), start, stop);
}

absl::StatusOr<std::unique_ptr<Decoder>> ParseMetaspace(
    const JsonPart& component) {
  COHORT_ASSIGN_OR_RETURN(const char32_t replacement,
                          component.Character("replacement"));
  COHORT_ASSIGN_OR_RETURN(const std::string scheme,
                          component.Text("prepend_scheme", "always"));
  COHORT_ASSIGN_OR_RETURN(const bool prefix,
                          component.Flag("add_prefix_space", true));
  std::string text;
  AppendUtf8(replacement, &text);
  return std::make_unique<MetaspaceDecoder>(std::move(text),
                                            prefix && scheme != "never");
}

absl::StatusOr<std::unique_ptr<Decoder>> ParseAt(const JsonPart& component,
                                                 int depth) {
  COHORT_ASSIGN_OR_RETURN(const std::string type, component.Type());
  if (type == "ByteLevel") return std::make_unique<ByteLevelDecoder>();
  if (type == "Fuse") return std::make_unique<FuseDecoder>();
  if (type == "ByteFallback") return std::make_unique<ByteFallbackDecoder>();
  if (type == "Strip") return ParseStrip(component);
  if (type == "Metaspace") return ParseMetaspace(component);
  if (type == "Replace") {
    COHORT_ASSIGN_OR_RETURN(Pattern pattern, Pattern::Parse(component));
    COHORT_ASSIGN_OR_RETURN(std::string content, component.Text("content"));
    return std::make_unique<ReplaceDecoder>(std::move(pattern),
                                            std::move(content));
  }
  if (type == "BPEDecoder") {
    COHORT_ASSIGN_OR_RETURN(std::string suffix, component.Text("suffix"));
    if (suffix.empty()) return component.Wrong("suffix must not be empty");
    return std::make_unique<SuffixDecoder>(std::move(suffix));
  }
  if (type != "Sequence")
    return component.NotBuilt(absl::StrCat("type ", type));
  if (depth == kDeepestNesting) return component.Wrong("nested too deeply");
  COHORT_ASSIGN_OR_RETURN(const std::vector<JsonPart> list,
                          component.List("decoders"));
  std::vector<std::unique_ptr<Decoder>> parts;
  for (const JsonPart& part : list) {
    COHORT_ASSIGN_OR_RETURN(parts.emplace_back(), ParseAt(part, depth + 1));
  }
  return std::make_unique<SequenceDecoder>(std::move(parts));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Decoder>> Decoder::Parse(
    const JsonPart& component) {
  return ParseAt(component, 0);
}

}  // namespace cohort
