// Code in a completion -> its tests' verdict.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "rewards/grader.h"
#include "rewards/judge_host.h"

namespace cohort {

// A fenced block of a completion.
struct CodeBlock {
  std::string tag;  // "python"; as it stands behind the fence.
  std::string code;
};

// The last block that is closed, behind the last "</think>" where there is
// one.
std::optional<CodeBlock> LastCodeBlock(std::string_view completion);

// The grade of a judgement. The score is 1, or the share of the cases where
// they are counted singly.
Grade GradeOfJudgement(const Judgement& judgement, bool partial, bool weak);

// Takes prompts as rewards/code_rows.h describes them. A completion without a
// code block is a format error, but where the prompt is the beginning of the
// program and the completion its rest.
class CodeGrader final : public Grader {
 public:
  // `host` is shared with other graders.
  explicit CodeGrader(std::shared_ptr<JudgeHost> host)
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
