// A verifier of the user's own: a program in the sandbox.
#pragma once

#include <memory>

#include "rewards/grader.h"
#include "rewards/judge_host.h"

namespace cohort {

// Takes prompts with
//   "command"   {"language", "source"} with optional "limits": the program
//   "protocol"  "json" (the default) or "lean"
//
// json: the program reads {"completion", "finished", "prompt", "answer", "row"}
// and prints {"correct": true} or {"score": 0.5}, with "extracted" and "reason"
// where it likes. A program that fails is an error of the grader, not a grade.
//
// lean: the program is a Lean 4 REPL (lean_reply.h), the prompt has "statement"
// and "header", and the completion's last code block is the proof. Running out
// of a limit is then the proof's fault.
class CommandGrader final : public Grader {
 public:
  explicit CommandGrader(std::shared_ptr<JudgeHost> host)
      : host_(std::move(host)) {}

  absl::Status CheckPrompt(const Prompt& prompt) const override;
  absl::StatusOr<Grade> GradeOne(const Prompt& prompt,
                                 const Completion& completion,
                                 absl::Time deadline) const override;
  GradingPlace place() const override { return GradingPlace::kElsewhere; }

 private:
  const std::shared_ptr<JudgeHost> host_;
};

}  // namespace cohort
