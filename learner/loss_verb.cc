#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "learner/loss_cases.h"
#include "learner/training_verbs.h"
#include "proto/flags.h"
#include "proto/rows.h"
#include "proto/status.h"

namespace cohort {
namespace {

struct LossFlags {
  std::string input;
  std::string output;
  std::string dtype = "float64";
};

absl::Status Solve(const LossFlags& flags) {
  COHORT_ASSIGN_OR_RETURN(const std::string content, ReadInput(flags.input));
  COHORT_ASSIGN_OR_RETURN(const std::string results,
                          SolveLossFile(content, flags.input, flags.dtype));
  return WriteOutput(flags.output, results);
}

}  // namespace

int LossVerb(const std::vector<std::string>& args) {
  LossFlags flags;
  FlagParser parser("loss", "Computes objectives and gradients of a file.");
  parser.Required("input", &flags.input, "FILE", "one JSON case per line");
  parser.Required("output", &flags.output, "FILE", "one JSON result per line");
  parser.Flag("dtype", &flags.dtype, "TYPE", "float64 or float32");
  if (const std::optional<int> exit = parser.Parse(args)) return *exit;
  if (flags.dtype != "float64" && flags.dtype != "float32") {
    return WrongCall("loss", "flag --dtype must be float64 or float32");
  }
  return ExitCode(Solve(flags));
}

}  // namespace cohort
