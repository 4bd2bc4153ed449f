// The verifiers that this server knows, and one completion through all of what
// its prompt asks for.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "rewards/grader.h"

namespace cohort {

using GraderMap = std::map<std::string, std::unique_ptr<const Grader>>;

// Every verifier by the name that prompts use. A new one is added here.
GraderMap MakeGraders();

// CPU time that this thread has used, in milliseconds.
double ThreadCpuMs();

// "chain, countdown, ...".
std::string KnownVerifiers(const GraderMap& graders);

// The grader of `prompt`, which has all that it needs. It lives as long as
// `graders`.
//   kNotFound         no such verifier; names the prompt and the known ones
//   kInvalidArgument  the prompt lacks something; names both
absl::StatusOr<const Grader*> GraderFor(const GraderMap& graders,
                                        const Prompt& prompt);

// GradeOne with the format score and the CPU time added.
//   kDeadlineExceeded  `deadline` passed
absl::StatusOr<Grade> GradeCompletion(const Grader& grader,
                                      const Prompt& prompt,
                                      const Completion& completion,
                                      absl::Time deadline);

}  // namespace cohort
