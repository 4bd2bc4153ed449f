#include "rewards/code_grader.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "proto/status.h"
#include "rewards/code_rows.h"

namespace cohort {
namespace {

constexpr std::string_view kThought = "</think>";
constexpr std::string_view kFence = "```";

Verdict VerdictOf(RunVerdict verdict) {
  switch (verdict) {
    case RunVerdict::kAC:
      return VERDICT_CORRECT;
    case RunVerdict::kWA:
      return VERDICT_WRONG;
    case RunVerdict::kRE:
      return VERDICT_RUNTIME_ERROR;
    case RunVerdict::kTLE:
      return VERDICT_TIMEOUT;
    case RunVerdict::kOLE:
    case RunVerdict::kMLE:
      return VERDICT_RESOURCE_LIMIT;
    case RunVerdict::kCE:
      return VERDICT_COMPILE_ERROR;
    case RunVerdict::kSV:
      return VERDICT_SECURITY_VIOLATION;
    case RunVerdict::kIE:
      return VERDICT_INFRA_ERROR;
  }
  return VERDICT_INFRA_ERROR;
}

// Takes the next line off the front, without its end.
std::string_view TakeLine(std::string_view* text) {
  const size_t end = text->find('\n');
  const std::string_view line = text->substr(0, end);
  text->remove_prefix(end == std::string_view::npos ? text->size() : end + 1);
  return line;
}

// The program that a completion stands for.
std::optional<Source> SourceOf(const CodeTask& task,
                               std::string_view completion) {
  Source source;
  source.language = task.language.empty() ? "python" : task.language;
  const std::optional<CodeBlock> block = LastCodeBlock(completion);
  if (!block.has_value()) {
    if (task.prefix.empty()) return std::nullopt;
    source.text = absl::StrCat(
        task.prefix, absl::string_view(completion.data(), completion.size()));
    return source;
  }
  if (task.language.empty() && !block->tag.empty()) {
    source.language = block->tag;
  }
  const bool whole =
      block->code.find("def " + task.tests.entry_point) != std::string::npos;
  source.text =
      task.prefix.empty()
          ? block->code
          : absl::StrCat(task.prefix, whole ? "\n\n" : "", block->code);
  return source;
}

}  // namespace

std::optional<CodeBlock> LastCodeBlock(std::string_view completion) {
  const size_t thought = completion.rfind(kThought);
  if (thought != std::string_view::npos) {
    completion.remove_prefix(thought + kThought.size());
  }
  std::optional<CodeBlock> last;
  std::optional<CodeBlock> open;
  while (!completion.empty()) {
    const std::string_view line = TakeLine(&completion);
    const std::string_view trimmed = Trimmed(line);
    if (!trimmed.starts_with(kFence)) {
      if (open.has_value())
        absl::StrAppend(&open->code, std::string(line), "\n");
    } else if (!open.has_value()) {
      open.emplace();
      open->tag = std::string(Trimmed(trimmed.substr(kFence.size())));
    } else {
      last = std::exchange(open, std::nullopt);
    }
  }
  return last;
}

Grade GradeOfJudgement(const Judgement& judgement, bool partial, bool weak) {
  Grade grade;
  grade.set_verdict(VerdictOf(judgement.outcome.verdict));
  grade.set_reason(ShownBytes(judgement.outcome.reason));
  grade.set_cpu_ms(absl::ToDoubleMilliseconds(judgement.cpu));
  if (judgement.outcome.verdict == RunVerdict::kAC) {
    grade.set_score(1);
  } else if (partial && judgement.total > 0 &&
             judgement.outcome.verdict != RunVerdict::kIE) {
    grade.set_score(static_cast<double>(judgement.passed) / judgement.total);
  }
  for (const std::string& suspicion : judgement.suspicions) {
    grade.add_suspicions(ShownBytes(suspicion));
  }
  grade.set_weak(weak);
  return grade;
}

absl::Status CodeGrader::CheckPrompt(const Prompt& prompt) const {
  COHORT_ASSIGN_OR_RETURN(const CodeTask task, TaskOfRow(prompt.row_json()));
  COHORT_ASSIGN_OR_RETURN(const std::shared_ptr<Judge> judge, host_->Get());
  const std::string name = task.language.empty() ? "python" : task.language;
  const Language* const language = judge->sandbox().languages().Find(name);
  if (language == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat("no language '", name, "'"));
  }
  if (const std::string tool = MissingTool(*language); !tool.empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat("language ", name, ": ", tool, " is missing"));
  }
  return absl::OkStatus();
}

absl::StatusOr<Grade> CodeGrader::GradeOne(const Prompt& prompt,
                                           const Completion& completion,
                                           absl::Time deadline) const {
  COHORT_ASSIGN_OR_RETURN(const CodeTask task, TaskOfRow(prompt.row_json()));
  const std::optional<Source> source = SourceOf(task, completion.text);
  if (!source.has_value()) return FormatErrorGrade("no code block");
  COHORT_ASSIGN_OR_RETURN(const std::shared_ptr<Judge> judge, host_->Get());
  if (judge->sandbox().languages().Find(source->language) == nullptr) {
    return FormatErrorGrade(
        absl::StrCat("a code block in '", source->language, "'"));
  }
  const Judgement judgement = judge->JudgeSubmission(*source, task.tests);
  if (absl::Now() > deadline) {
    return absl::DeadlineExceededError("not graded in time");
  }
  Grade grade = GradeOfJudgement(judgement, task.tests.partial, host_->Weak());
  grade.set_extracted(ShownBytes(source->text));
  return grade;
}

}  // namespace cohort
