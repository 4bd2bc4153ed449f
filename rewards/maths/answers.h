// Final answers in mathematics, compared by what they mean.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "configs/math_policy.h"
#include "rewards/grader.h"
#include "rewards/maths/parser.h"

namespace cohort {

// An answer as it was read, once for all that is compared with it.
struct ReadAnswer {
  std::string text;     // In LaTeX's ASCII.
  std::string compact;  // Without spaces, for answers that are not understood.
  std::string words;    // One spelling of it as words.
  std::optional<ParsedMath> math;
  std::string flaw;  // Why `math` is empty.
  char letter = 0;   // The option, where it is nothing else.
};

// Reads a bare answer; never fails.
ReadAnswer ReadBareAnswer(std::string_view text, const MathPolicy& policy);

// Reads a gold answer.
//   kInvalidArgument  it is empty, has no value (5/0, nan) or is a formula that
//                     is not understood: no completion could be judged by it
absl::StatusOr<ReadAnswer> ReadGold(std::string_view gold, AnswerForm form,
                                    const MathPolicy& policy);

// Judges `prediction`, any bytes, against a gold that ReadGold gave under the
// same policy. A pure function of its arguments: no clock, no state; its work
// is bounded by the sizes of both and a budget of operations. Verdicts:
// correct, wrong, format_error (no answer found), undecided (neither shown
// equal nor different).
Grade GradePrediction(const ReadAnswer& gold, std::string_view prediction,
                      AnswerForm form, const MathPolicy& policy);

}  // namespace cohort
