#include <algorithm>
#include <atomic>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "proto/flags.h"
#include "proto/rows.h"
#include "proto/status.h"
#include "rewards/grade_rows.h"
#include "rewards/graders.h"
#include "rewards/maths/answers.h"
#include "rewards/verbs.h"

namespace cohort {
namespace {

struct GradeFlags {
  std::string input;
  std::string output;
  int workers = 2;
  bool allow_weak = false;
};

absl::StatusOr<Grade> GradePair(const GradeRow& row) {
  const AnswerForm gold_form =
      row.form == AnswerForm::kText ? AnswerForm::kText : AnswerForm::kBare;
  const double begin_ms = ThreadCpuMs();
  COHORT_ASSIGN_OR_RETURN(const ReadAnswer gold,
                          ReadGold(row.prompt.answer(), gold_form, row.policy));
  Grade grade = GradePrediction(gold, row.completion, row.form, row.policy);
  grade.set_cpu_ms(ThreadCpuMs() - begin_ms);
  return grade;
}

absl::StatusOr<Grade> GradeSound(const GraderMap& graders,
                                 const GradeRow& row) {
  if (row.pair) return GradePair(row);
  COHORT_ASSIGN_OR_RETURN(const Grader* const grader,
                          GraderFor(graders, row.prompt));
  return GradeCompletion(*grader, row.prompt,
                         {.text = row.completion, .finished = row.finished},
                         absl::InfiniteFuture());
}

Grade GradeRowOf(const GraderMap& graders, const GradeRow& row) {
  const absl::StatusOr<Grade> grade =
      row.flaw.empty() ? GradeSound(graders, row)
                       : absl::InvalidArgumentError(row.flaw);
  if (grade.ok()) return *grade;
  Grade failed;
  failed.set_verdict(VERDICT_GRADER_ERROR);
  failed.set_reason(std::string(grade.status().message()));
  return failed;
}

// One line per row, in the order of the rows.
std::string GradeRows(const std::vector<GradeRow>& rows,
                      const GradeFlags& flags) {
  const GraderMap graders = MakeGraders(
      {.judge = std::make_shared<JudgeHost>(JudgeOptions{
           .slots = flags.workers * 2, .allow_weak = flags.allow_weak})});
  std::vector<std::string> lines(rows.size());
  std::atomic<size_t> next = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < flags.workers; ++i) {
      threads.emplace_back([&] {
        for (size_t r = next++; r < rows.size(); r = next++) {
          lines[r] = PrintGrade(rows[r], GradeRowOf(graders, rows[r])) + "\n";
        }
      });
    }
  }
  std::string content;
  for (const std::string& line : lines) content += line;
  return content;
}

absl::Status GradeFile(const GradeFlags& flags) {
  COHORT_ASSIGN_OR_RETURN(const std::vector<GradeRow> rows,
                          ParseRows(flags.input, &ParseGradeRow));
  return WriteOutput(flags.output, GradeRows(rows, flags));
}

}  // namespace

int GradeVerb(const std::vector<std::string>& args) {
  GradeFlags flags;
  FlagParser parser("grade",
                    "Grades rows {id, verifier, completion, answer, ...} to "
                    "{id, verdict, score, extracted, reason, cpu_ms}, in input "
                    "order.");
  parser.Required("input", &flags.input, "FILE", "JSONL; - is standard input");
  parser.Required("output", &flags.output, "FILE",
                  "JSONL; - is standard output");
  parser.Flag("workers", &flags.workers, "N", "grading threads");
  parser.Switch("allow-weak", &flags.allow_weak,
                "run code also where a fence is missing on this machine");
  if (const std::optional<int> exit = parser.Parse(args)) return *exit;
  if (flags.workers < 1 || flags.workers > 1024) {
    return WrongCall("grade", "flag --workers must be 1 to 1024");
  }
  return ExitCode(GradeFile(flags));
}

}  // namespace cohort
