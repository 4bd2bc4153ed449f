#include <iostream>
#include <iterator>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "learner/loss_cases.h"
#include "learner/verbs.h"
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

absl::StatusOr<std::string> ReadInput(const std::string& path) {
  if (path != "-") return ReadFile(path);
  return std::string(std::istreambuf_iterator<char>(std::cin), {});
}

absl::Status Solve(const LossFlags& flags) {
  COHORT_ASSIGN_OR_RETURN(const std::string content, ReadInput(flags.input));
  COHORT_ASSIGN_OR_RETURN(const std::string results,
                          SolveLossFile(content, flags.input, flags.dtype));
  if (flags.output != "-") return WriteFileAtomically(flags.output, results);
  std::cout << results << std::flush;
  return std::cout ? absl::OkStatus()
                   : absl::DataLossError("cannot write standard output");
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
    std::cerr << "cohort: --dtype " << flags.dtype
              << ": must be float64 or float32\n";
    return kExitWrongCall;
  }
  return ExitCode(Solve(flags));
}

}  // namespace cohort
