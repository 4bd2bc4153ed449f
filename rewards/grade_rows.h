// The rows of `cohort grade` <-> what the graders take.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "proto/types.pb.h"

namespace cohort {

struct GradeRow {
  std::string id;    // As it stood, in JSON; the default where there is none.
  std::string flaw;  // Why the row cannot be graded; empty if it can.
  Prompt prompt;
  std::string completion;
  bool finished = true;
};

// Reads {"id", "verifier", "completion", ...what the verifier needs}, or
// {"gold", "prediction", "form"} for math, where the prediction may be
// "prediction_parts" ([[piece, times], ...]) or "prediction_b64". Both forms
// may choose a "policy" and "opts" for math. An object that lacks something is
// a row with a flaw.
//   kInvalidArgument  `line` is not JSON
absl::StatusOr<GradeRow> ParseGradeRow(std::string_view line,
                                       const std::string& default_id);

// {"id", "verdict", "score", "extracted", "reason", "cpu_ms"} and, where a
// format was asked for, "format"; without a line end.
std::string PrintGrade(const GradeRow& row, const Grade& grade);

}  // namespace cohort
