// The shape of a completion, apart from whether it is right.
#pragma once

#include <string_view>

#include "rewards/grader.h"

namespace cohort {

// Why `completion` lacks the shape Prompt.format; empty where it has it. The
// shapes, with nothing but whitespace around the tags:
//   r1       <think>..</think> <answer>..</answer>, each tag once, an answer
//            that is not blank; the opening <think> may end the prompt instead
//            (DeepSeek-R1, arXiv:2501.12948, section 2.2)
//   compact  [..]{..} and nothing else, one of each bracket, {..} not empty
// A completion that the length limit cut off has no shape.
//   kInvalidArgument  no such format; names the known ones
absl::StatusOr<std::string_view> FormatFlaw(const Prompt& prompt,
                                            const Completion& completion);

// As a verifier: correct where the shape is right.
class FormatGrader : public Grader {
 public:
  absl::Status CheckPrompt(const Prompt& prompt) const override;
  absl::StatusOr<Grade> GradeOne(const Prompt& prompt,
                                 const Completion& completion,
                                 absl::Time deadline) const override;
};

}  // namespace cohort
