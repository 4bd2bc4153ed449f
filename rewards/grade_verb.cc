#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "proto/flags.h"
#include "proto/rows.h"
#include "proto/status.h"
#include "rewards/grade_pool.h"
#include "rewards/grade_rows.h"
#include "rewards/graders.h"
#include "rewards/verbs.h"

namespace cohort {
namespace {

struct GradeFlags {
  std::string input;
  std::string output;
  int workers = 2;
  bool allow_weak = false;
};

// Grades as the service does: what a library might abort on or eat memory by,
// in a worker process.
//
// Thread-safe.
class RowGrader {
 public:
  explicit RowGrader(const GradeFlags& flags)
      : graders_(MakeGraders({.judge = std::make_shared<JudgeHost>(JudgeOptions{
                                  .slots = flags.workers * 2,
                                  .allow_weak = flags.allow_weak})})),
        pool_({"/proc/self/exe", kGradeWorkerVerb}, flags.workers) {}

  Grade GradeOne(const GradeRow& row) {
    const absl::StatusOr<Grade> grade =
        row.flaw.empty() ? GradeSound(row)
                         : absl::InvalidArgumentError(row.flaw);
    if (grade.ok()) return *grade;
    Grade failed;
    failed.set_verdict(VERDICT_GRADER_ERROR);
    failed.set_reason(std::string(grade.status().message()));
    return failed;
  }

 private:
  absl::StatusOr<Grade> GradeSound(const GradeRow& row) {
    COHORT_ASSIGN_OR_RETURN(const Grader* const grader,
                            FindGrader(graders_, row.prompt));
    if (grader->place() == GradingPlace::kWorker) return GradeInWorker(row);
    COHORT_RETURN_IF_ERROR(GraderFor(graders_, row.prompt).status());
    return GradeCompletion(*grader, row.prompt,
                           {.text = row.completion, .finished = row.finished},
                           absl::InfiniteFuture());
  }

  absl::StatusOr<Grade> GradeInWorker(const GradeRow& row) {
    GradeRequest request;
    *request.mutable_prompt() = row.prompt;
    request.add_completions(row.completion);
    request.add_finished(row.finished);
    GradeResponse response;
    COHORT_RETURN_IF_ERROR(
        pool_.Grade(request, absl::InfiniteFuture(), &response));
    return response.grades(0);
  }

  const GraderMap graders_;
  GradePool pool_;
};

// One line per row, in the order of the rows.
std::string GradeRows(const std::vector<GradeRow>& rows,
                      const GradeFlags& flags) {
  RowGrader grader(flags);
  std::vector<std::string> lines(rows.size());
  std::atomic<size_t> next = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < flags.workers; ++i) {
      threads.emplace_back([&] {
        for (size_t r = next++; r < rows.size(); r = next++) {
          lines[r] = PrintGrade(rows[r], grader.GradeOne(rows[r])) + "\n";
        }
      });
    }
  }
  return absl::StrJoin(lines, "");
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
  parser.Flag("workers", &flags.workers, "N", "rows graded at a time");
  parser.Switch("allow-weak", &flags.allow_weak,
                "run code also where a fence is missing on this machine");
  if (const std::optional<int> exit = parser.Parse(args)) return *exit;
  if (flags.workers < 1 || flags.workers > 1024) {
    return WrongCall("grade", "flag --workers must be 1 to 1024");
  }
  return ExitCode(GradeFile(flags));
}

}  // namespace cohort
