#include "rewards/language_grader.h"

#include <array>
#include <map>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "re2/re2.h"

namespace cohort {
namespace {

// One group a script, in the order of kWord; the last is any other letter.
enum Script {
  kLatin,
  kHan,
  kKana,
  kHangul,
  kCyrillic,
  kGreek,
  kArabic,
  kHebrew,
  kDevanagari,
  kThai,
  kOther,
  kScripts
};

const RE2& Word() {
  static const RE2* const kPattern = new RE2(
      R"(\\[a-zA-Z]+|(\p{Latin}+)|(\p{Han})|([\p{Hiragana}\p{Katakana}]))"
      R"(|(\p{Hangul}+)|(\p{Cyrillic}+)|(\p{Greek}+)|(\p{Arabic}+))"
      R"(|(\p{Hebrew}+)|([\p{Devanagari}]+)|(\p{Thai})|(\pL))");
  return *kPattern;
}

const std::map<std::string, std::set<int>>& Languages() {
  static const auto* const kLanguages =
      new std::map<std::string, std::set<int>>{
          {"ar", {kArabic}},     {"de", {kLatin}},      {"el", {kGreek}},
          {"en", {kLatin}},      {"es", {kLatin}},      {"fr", {kLatin}},
          {"he", {kHebrew}},     {"hi", {kDevanagari}}, {"it", {kLatin}},
          {"ja", {kHan, kKana}}, {"ko", {kHangul}},     {"pt", {kLatin}},
          {"ru", {kCyrillic}},   {"th", {kThai}},       {"zh", {kHan}}};
  return *kLanguages;
}

// Words by script. Bytes that are not UTF-8 are passed over.
std::array<int64_t, kScripts> CountWords(std::string_view text) {
  std::array<int64_t, kScripts> counts = {};
  std::array<re2::StringPiece, kScripts + 1> groups;
  const re2::StringPiece whole(text.data(), text.size());
  size_t at = 0;
  while (at < text.size() &&
         Word().Match(whole, at, text.size(), RE2::UNANCHORED, groups.data(),
                      static_cast<int>(groups.size()))) {
    for (int script = 0; script < kScripts; ++script) {
      if (groups[script + 1].data() != nullptr) ++counts[script];
    }
    at = static_cast<size_t>(groups[0].data() - text.data()) + groups[0].size();
  }
  return counts;
}

}  // namespace

absl::Status LanguageGrader::CheckPrompt(const Prompt& prompt) const {
  if (Languages().contains(prompt.answer())) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "no language '", prompt.answer(), "'; known: ",
      absl::StrJoin(Languages(), ", ", [](std::string* out, const auto& named) {
        absl::StrAppend(out, named.first);
      })));
}

absl::StatusOr<Grade> LanguageGrader::GradeOne(const Prompt& prompt,
                                               const Completion& completion,
                                               absl::Time /*deadline*/) const {
  const std::set<int>& wanted = Languages().at(prompt.answer());
  const auto counts = CountWords(completion.text);
  int64_t all = 0;
  int64_t inside = 0;
  for (int script = 0; script < kScripts; ++script) {
    all += counts[script];
    if (wanted.contains(script)) inside += counts[script];
  }
  if (all == 0) return FormatErrorGrade("no words");
  Grade grade = CorrectGrade(absl::StrCat(inside, "/", all));
  grade.set_score(static_cast<double>(inside) / static_cast<double>(all));
  return grade;
}

}  // namespace cohort
