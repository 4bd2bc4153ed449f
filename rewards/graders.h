// The verifiers that this server knows, and one completion through all of what
// its prompt asks for.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "proto/credentials.h"
#include "proto/rewards.pb.h"
#include "rewards/grader.h"
#include "rewards/judge_host.h"

namespace cohort {

using GraderMap = std::map<std::string, std::unique_ptr<const Grader>>;

struct GraderOptions {
  std::string external = {};     // Address for the verifier `external`.
  Credentials credentials = {};  // For calls to it.
  // For those that run code, which share it; null: one with its defaults.
  std::shared_ptr<JudgeHost> judge = {};
};

// Every verifier by the name that prompts use. A new one is added here.
GraderMap MakeGraders(const GraderOptions& options = {});

// CPU time that this thread has used, in milliseconds.
double ThreadCpuMs();

// "chain, countdown, ...".
std::string KnownVerifiers(const GraderMap& graders);

// The grader that `prompt` names.
//   kNotFound  no such verifier; names the prompt and the known ones
absl::StatusOr<const Grader*> FindGrader(const GraderMap& graders,
                                         const Prompt& prompt);

// The same, where the prompt has all that it needs. It lives as long as
// `graders`.
//   kNotFound         no such verifier; names the prompt and the known ones
//   kInvalidArgument  the prompt lacks something; names both
absl::StatusOr<const Grader*> GraderFor(const GraderMap& graders,
                                        const Prompt& prompt);

// GradeMany of all completions of `request`, with the format scores added.
//   kNotFound, kInvalidArgument  see GraderFor
//   kDeadlineExceeded            `deadline` passed
absl::Status GradeRequestHere(const GraderMap& graders,
                              const GradeRequest& request, absl::Time deadline,
                              GradeResponse* response);

// GradeOne with the format score and the CPU time added.
//   kDeadlineExceeded  `deadline` passed
absl::StatusOr<Grade> GradeCompletion(const Grader& grader,
                                      const Prompt& prompt,
                                      const Completion& completion,
                                      absl::Time deadline);

// Completion number `i` of `request`.
Completion CompletionOf(const GradeRequest& request, int i);

}  // namespace cohort
