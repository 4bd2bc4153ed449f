#include "learner/inspect_text.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "model/decode_stream.h"
#include "proto/rows.h"

namespace cohort {
namespace {

// Select Graphic Rendition (ECMA-48, 8.3.117).
constexpr char kGreen[] = "\x1b[32m";
constexpr char kRed[] = "\x1b[31m";
constexpr char kYellow[] = "\x1b[33m";
constexpr char kCyan[] = "\x1b[36m";
constexpr char kPlain[] = "";
constexpr char kReset[] = "\x1b[0m";

// What was likely stays plain: the eye is led to where the policy chose.
const char* ColorOfProbability(double probability) {
  return probability >= 0.9   ? kPlain
         : probability >= 0.5 ? kCyan
         : probability >= 0.1 ? kYellow
                              : kRed;
}

}  // namespace

std::string OneLine(const std::string& text) {
  std::string line;
  for (const char c : text) {
    if (c == '\n') {
      line += "\\n";
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      absl::StrAppendFormat(&line, "\\x%02x", static_cast<unsigned char>(c));
    } else {
      line += c;
    }
  }
  return line;
}

GroupPrinter::GroupPrinter(bool color, std::unique_ptr<Tokenizer> tokenizer)
    : color_(color), tokenizer_(std::move(tokenizer)) {}

std::string GroupPrinter::Colored(const char* code,
                                  const std::string& text) const {
  if (!color_ || *code == '\0') return text;
  return absl::StrCat(code, text, kReset);
}

std::string GroupPrinter::Legend() const {
  if (!color_ || tokenizer_ == nullptr) return "";
  return absl::StrCat(
      "tokens sampled with probability >= 0.9, ", Colored(kCyan, ">= 0.5"),
      ", ", Colored(kYellow, ">= 0.1"), ", ", Colored(kRed, "below"), "\n\n");
}

std::string GroupPrinter::CompletionText(const Trajectory& trajectory) const {
  const int count = trajectory.tokens_size();
  if (!color_ || tokenizer_ == nullptr ||
      trajectory.sampler_logprobs_size() != count) {
    return OneLine(trajectory.text());
  }
  DecodeStream stream(tokenizer_.get(), /*skip_special_tokens=*/true);
  std::string text;
  for (int i = 0; i < count; ++i) {
    const absl::StatusOr<std::optional<std::string>> part =
        stream.Step(trajectory.tokens(i));
    if (!part.ok()) return OneLine(trajectory.text());
    if (!part->has_value()) continue;
    const double probability = std::exp(trajectory.sampler_logprobs(i));
    text += Colored(ColorOfProbability(probability), OneLine(**part));
  }
  return text;
}

void GroupPrinter::AppendMember(const Group& group, int member,
                                const std::string& advantage,
                                const std::string& mismatch,
                                std::string* text) const {
  const Trajectory& trajectory = group.trajectories(member);
  const Grade& grade = trajectory.grade();
  const std::string verdict(VerdictName(grade.verdict()));
  const bool cut = trajectory.finish_reason() == FINISH_REASON_LENGTH;
  const std::string padded = absl::StrFormat("%9s", advantage);
  const char* const color = advantage[0] == '+'   ? kGreen
                            : advantage[0] == '-' ? kRed
                                                  : kPlain;
  absl::StrAppendFormat(
      text, "  %2d %7.4f %s %-12s %6.3f %6.3f %6d %s %s%s\n", member,
      trajectory.reward(), advantage == "-" ? padded : Colored(color, padded),
      verdict, grade.score(), grade.format(), trajectory.tokens_size(),
      mismatch, CompletionText(trajectory), cut ? " [cut]" : "");
  if (!grade.reason().empty()) {
    absl::StrAppend(text, "     ", OneLine(grade.reason()), "\n");
  }
}

void GroupPrinter::Append(const GroupRow& row, const Group& group,
                          AdvantageNorm norm,
                          const std::vector<double>& mismatches,
                          std::string* text) const {
  absl::StrAppend(text, "group ", row.group_id, "  ", row.state);
  if (row.trained_at_step >= 0) {
    absl::StrAppend(text, " at step ", row.trained_at_step);
  }
  absl::StrAppend(text, "  policy ", row.policy_version, "\n  prompt  ",
                  OneLine(group.prompt().text()), "\n");
  if (!group.prompt().answer().empty()) {
    absl::StrAppend(text, "  answer  ", OneLine(group.prompt().answer()), "\n");
  }
  const GroupLesson lesson = LessonOf(group, norm);
  absl::StrAppendFormat(text, "  %2s %7s %9s %-12s %6s %6s %6s %s %s\n", "#",
                        "reward", "advantage", "verdict", "score", "format",
                        "tokens", mismatches.empty() ? "" : "mismatch",
                        "completion");
  for (int member = 0; member < group.trajectories_size(); ++member) {
    const auto place =
        std::find(lesson.members.begin(), lesson.members.end(), member);
    const std::string advantage =
        place == lesson.members.end()
            ? "-"
            : absl::StrFormat("%+.4f", lesson.advantages[static_cast<size_t>(
                                           place - lesson.members.begin())]);
    const size_t i = static_cast<size_t>(member);
    const std::string mismatch = mismatches.empty() ? ""
                                 : mismatches[i] < 0
                                     ? absl::StrFormat("%8s", "-")
                                     : absl::StrFormat("%8.1e", mismatches[i]);
    AppendMember(group, member, advantage, mismatch, text);
  }
}

}  // namespace cohort
