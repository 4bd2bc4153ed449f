#include "rewards/graders.h"

#include <time.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "proto/status.h"
#include "rewards/chain_grader.h"
#include "rewards/code_grader.h"
#include "rewards/command_grader.h"
#include "rewards/countdown_grader.h"
#include "rewards/exact_grader.h"
#include "rewards/external_grader.h"
#include "rewards/format_grader.h"
#include "rewards/language_grader.h"
#include "rewards/math_grader.h"
#include "rewards/multiple_choice_grader.h"
#include "rewards/numeric_grader.h"
#include "rewards/regex_grader.h"

namespace cohort {
namespace {

absl::Status About(const Prompt& prompt, const absl::Status& status) {
  if (status.ok()) return status;
  return absl::Status(status.code(),
                      absl::StrCat("prompt ", prompt.id(), ": verifier ",
                                   prompt.verifier(), ": ", status.message()));
}

absl::Status AddFormat(const Prompt& prompt, const Completion& completion,
                       Grade* grade) {
  if (prompt.format().empty()) return absl::OkStatus();
  COHORT_ASSIGN_OR_RETURN(const std::string_view flaw,
                          FormatFlaw(prompt, completion));
  grade->set_format(flaw.empty() ? 1 : 0);
  return absl::OkStatus();
}

}  // namespace

double ThreadCpuMs() {
  timespec now = {};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e3 +
         static_cast<double>(now.tv_nsec) / 1e6;
}

GraderMap MakeGraders(const GraderOptions& options) {
  const std::shared_ptr<JudgeHost> judge =
      options.judge != nullptr ? options.judge
                               : std::make_shared<JudgeHost>(JudgeOptions());
  GraderMap graders;
  graders["chain"] = std::make_unique<ChainGrader>();
  graders["code"] = std::make_unique<CodeGrader>(judge);
  graders["command"] = std::make_unique<CommandGrader>(judge);
  graders["countdown"] = std::make_unique<CountdownGrader>();
  graders["exact"] = std::make_unique<ExactGrader>();
  graders["external"] =
      std::make_unique<ExternalGrader>(options.external, options.credentials);
  graders["format"] = std::make_unique<FormatGrader>();
  graders["language"] = std::make_unique<LanguageGrader>();
  graders["math"] = std::make_unique<MathGrader>();
  graders["multiple_choice"] = std::make_unique<MultipleChoiceGrader>();
  graders["numeric"] = std::make_unique<NumericGrader>();
  graders["regex"] = std::make_unique<RegexGrader>();
  return graders;
}

std::string KnownVerifiers(const GraderMap& graders) {
  return absl::StrJoin(graders, ", ", [](std::string* out, const auto& named) {
    absl::StrAppend(out, named.first);
  });
}

absl::StatusOr<const Grader*> FindGrader(const GraderMap& graders,
                                         const Prompt& prompt) {
  const auto found = graders.find(prompt.verifier());
  if (found == graders.end()) {
    return absl::NotFoundError(
        absl::StrCat("prompt ", prompt.id(), ": no verifier '",
                     prompt.verifier(), "'; known: ", KnownVerifiers(graders)));
  }
  return found->second.get();
}

absl::StatusOr<const Grader*> GraderFor(const GraderMap& graders,
                                        const Prompt& prompt) {
  COHORT_ASSIGN_OR_RETURN(const Grader* const grader,
                          FindGrader(graders, prompt));
  COHORT_RETURN_IF_ERROR(About(prompt, grader->CheckPrompt(prompt)));
  if (!prompt.format().empty()) {
    COHORT_RETURN_IF_ERROR(About(prompt, FormatFlaw(prompt, {}).status()));
  }
  return grader;
}

Completion CompletionOf(const GradeRequest& request, int i) {
  return {.text = request.completions(i),
          .finished = request.finished_size() == 0 || request.finished(i)};
}

absl::Status GradeRequestHere(const GraderMap& graders,
                              const GradeRequest& request, absl::Time deadline,
                              GradeResponse* response) {
  const Prompt& prompt = request.prompt();
  COHORT_ASSIGN_OR_RETURN(const Grader* const grader,
                          GraderFor(graders, prompt));
  std::vector<Completion> completions;
  for (int i = 0; i < request.completions_size(); ++i) {
    completions.push_back(CompletionOf(request, i));
  }
  COHORT_ASSIGN_OR_RETURN(std::vector<Grade> grades,
                          grader->GradeMany(prompt, completions, deadline));
  for (size_t i = 0; i < grades.size(); ++i) {
    COHORT_RETURN_IF_ERROR(AddFormat(prompt, completions[i], &grades[i]));
    *response->add_grades() = std::move(grades[i]);
  }
  return absl::OkStatus();
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
  COHORT_RETURN_IF_ERROR(AddFormat(prompt, completion, &grade));
  // Beside what the grader counted elsewhere.
  grade.set_cpu_ms(grade.cpu_ms() + ThreadCpuMs() - begin_ms);
  return grade;
}

}  // namespace cohort
