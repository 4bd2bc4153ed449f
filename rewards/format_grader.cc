#include "rewards/format_grader.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "proto/status.h"
#include "re2/re2.h"

namespace cohort {
namespace {

constexpr size_t kNone = std::string_view::npos;

// Takes `tag` off the front of `text`, whitespace before it included.
bool TakeTag(std::string_view tag, std::string_view* text) {
  *text = Trimmed(*text);
  if (!text->starts_with(tag)) return false;
  text->remove_prefix(tag.size());
  return true;
}

// Takes everything up to and with `tag`; what stood before it goes to `inner`.
bool TakeUntil(std::string_view tag, std::string_view* text,
               std::string_view* inner) {
  const size_t at = text->find(tag);
  if (at == kNone) return false;
  *inner = text->substr(0, at);
  text->remove_prefix(at + tag.size());
  return true;
}

bool HasTag(std::string_view text) {
  for (const std::string_view tag :
       {"<think>", "</think>", "<answer>", "</answer>"}) {
    if (text.find(tag) != kNone) return true;
  }
  return false;
}

std::string_view R1Flaw(std::string_view prompt, std::string_view text) {
  std::string_view thinking;
  std::string_view answer;
  if (!Trimmed(prompt).ends_with("<think>") && !TakeTag("<think>", &text)) {
    return "no <think> at the start";
  }
  if (!TakeUntil("</think>", &text, &thinking)) return "no </think>";
  if (!TakeTag("<answer>", &text)) return "no <answer> behind </think>";
  if (!TakeUntil("</answer>", &text, &answer)) return "no </answer>";
  if (!Trimmed(text).empty()) return "text behind </answer>";
  if (HasTag(thinking) || HasTag(answer)) return "a tag twice";
  if (Trimmed(answer).empty()) return "the answer is blank";
  return "";
}

std::string_view CompactFlaw(std::string_view text) {
  static const RE2 shape(R"(\[[^\[\]{}$]*\]\{[^\[\]{}$]+\}\$?)", RE2::Latin1);
  return RE2::FullMatch(text, shape) ? "" : "not [..]{..}";
}

}  // namespace

absl::StatusOr<std::string_view> FormatFlaw(const Prompt& prompt,
                                            const Completion& completion) {
  if (prompt.format() != "r1" && prompt.format() != "compact") {
    return absl::InvalidArgumentError(
        absl::StrCat("no format '", prompt.format(), "'; known: compact, r1"));
  }
  if (!completion.finished) return "cut off by the length limit";
  return prompt.format() == "r1" ? R1Flaw(prompt.text(), completion.text)
                                 : CompactFlaw(completion.text);
}

absl::Status FormatGrader::CheckPrompt(const Prompt& prompt) const {
  return FormatFlaw(prompt, {}).status();
}

absl::StatusOr<Grade> FormatGrader::GradeOne(const Prompt& prompt,
                                             const Completion& completion,
                                             absl::Time /*deadline*/) const {
  COHORT_ASSIGN_OR_RETURN(const std::string_view flaw,
                          FormatFlaw(prompt, completion));
  return flaw.empty() ? CorrectGrade("") : WrongGrade("", flaw);
}

}  // namespace cohort
