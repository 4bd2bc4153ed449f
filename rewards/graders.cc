#include "rewards/graders.h"

#include <time.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "proto/status.h"
#include "rewards/chain_grader.h"
#include "rewards/countdown_grader.h"
#include "rewards/exact_grader.h"
#include "rewards/format_grader.h"
#include "rewards/math_grader.h"

namespace cohort {
namespace {

absl::Status About(const Prompt& prompt, const absl::Status& status) {
  if (status.ok()) return status;
  return absl::Status(status.code(),
                      absl::StrCat("prompt ", prompt.id(), ": verifier ",
                                   prompt.verifier(), ": ", status.message()));
}

}  // namespace

double ThreadCpuMs() {
  timespec now = {};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e3 +
         static_cast<double>(now.tv_nsec) / 1e6;
}

GraderMap MakeGraders() {
  GraderMap graders;
  graders["chain"] = std::make_unique<ChainGrader>();
  graders["countdown"] = std::make_unique<CountdownGrader>();
  graders["exact"] = std::make_unique<ExactGrader>();
  graders["format"] = std::make_unique<FormatGrader>();
  graders["math"] = std::make_unique<MathGrader>();
  return graders;
}

std::string KnownVerifiers(const GraderMap& graders) {
  return absl::StrJoin(graders, ", ", [](std::string* out, const auto& named) {
    absl::StrAppend(out, named.first);
  });
}

absl::StatusOr<const Grader*> GraderFor(const GraderMap& graders,
                                        const Prompt& prompt) {
  const auto found = graders.find(prompt.verifier());
  if (found == graders.end()) {
    return absl::NotFoundError(
        absl::StrCat("prompt ", prompt.id(), ": no verifier '",
                     prompt.verifier(), "'; known: ", KnownVerifiers(graders)));
  }
  COHORT_RETURN_IF_ERROR(About(prompt, found->second->CheckPrompt(prompt)));
  if (!prompt.format().empty()) {
    COHORT_RETURN_IF_ERROR(About(prompt, FormatFlaw(prompt, {}).status()));
  }
  return found->second.get();
}

absl::StatusOr<Grade> GradeCompletion(const Grader& grader,
                                      const Prompt& prompt,
                                      const Completion& completion,
                                      absl::Time deadline) {
  if (absl::Now() >= deadline) {
    return absl::DeadlineExceededError(
        absl::StrCat("prompt ", prompt.id(), ": not graded in time"));
  }
  const double begin_ms = ThreadCpuMs();
  COHORT_ASSIGN_OR_RETURN(Grade grade,
                          grader.GradeOne(prompt, completion, deadline));
  if (!prompt.format().empty()) {
    COHORT_ASSIGN_OR_RETURN(const std::string_view flaw,
                            FormatFlaw(prompt, completion));
    grade.set_format(flaw.empty() ? 1 : 0);
  }
  grade.set_cpu_ms(ThreadCpuMs() - begin_ms);
  return grade;
}

}  // namespace cohort
