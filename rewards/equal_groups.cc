#include "rewards/equal_groups.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "proto/status.h"

namespace cohort {
namespace {

constexpr int kNoClass = -1;

// Sets the class of the completions that have none yet and equal `answer`.
absl::Status JoinClass(const GroupEqualRequest& request,
                       const GradeResponse& graded, const GradeCall& grade,
                       int number, const std::string& answer,
                       std::vector<int>* classes) {
  GradeRequest asked;
  *asked.mutable_prompt() = request.prompt();
  asked.mutable_prompt()->set_answer(answer);
  asked.mutable_prompt()->clear_format();
  std::vector<int> members;
  for (int i = 0; i < request.completions_size(); ++i) {
    if ((*classes)[i] != kNoClass || graded.grades(i).extracted().empty()) {
      continue;
    }
    if (graded.grades(i).extracted() == answer) {
      (*classes)[i] = number;
    } else {
      members.push_back(i);
      asked.add_completions(request.completions(i));
    }
  }
  GradeResponse answered;
  const absl::Status status = grade(asked, &answered);
  if (absl::IsInvalidArgument(status)) return absl::OkStatus();
  COHORT_RETURN_IF_ERROR(status);
  for (size_t m = 0; m < members.size(); ++m) {
    if (answered.grades(static_cast<int>(m)).verdict() == VERDICT_CORRECT) {
      (*classes)[members[m]] = number;
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status GroupByAnswer(const GroupEqualRequest& request,
                           const GradeCall& grade,
                           GroupEqualResponse* response) {
  GradeRequest first;
  *first.mutable_prompt() = request.prompt();
  first.mutable_prompt()->clear_format();
  *first.mutable_completions() = request.completions();
  GradeResponse graded;
  COHORT_RETURN_IF_ERROR(grade(first, &graded));

  std::vector<int> classes(request.completions_size(), kNoClass);
  int next = 0;
  for (int i = 0; i < request.completions_size(); ++i) {
    const std::string& answer = graded.grades(i).extracted();
    if (classes[i] != kNoClass || answer.empty()) continue;
    COHORT_RETURN_IF_ERROR(
        JoinClass(request, graded, grade, next, answer, &classes));
    ++next;
  }
  for (const int number : classes) response->add_classes(number);
  return absl::OkStatus();
}

}  // namespace cohort
