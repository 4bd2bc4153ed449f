// Is what a program printed what was wanted?
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "rewards/py_value.h"
#include "sandbox/compiler.h"

namespace cohort {

struct Checker {
  enum class Kind {
    kLines,   // Line by line, blanks and \r at line ends and empty lines at the
              // end left out.
    kExact,   // Byte by byte.
    kTokens,  // Word by word, whatever separates them.
    kFloats,  // Word by word; words that are numbers within the tolerance.
    kProgram,  // A program of the task's author decides.
  };
  Kind kind = Kind::kLines;
  FloatTolerance tolerance;
  // kProgram: reads {"stdin", "expected", "stdout"} and prints whether it is
  // right: "true" or "false" as JSON, or an object with "correct".
  Source program;
};

// Reads "lines", "exact", "tokens" or "float:1e-6" (absolute and relative).
absl::StatusOr<Checker> ParseChecker(const std::string& text);

// Empty where `output` is right by `checker`, which is not kProgram; else why
// not.
std::string OutputFlaw(std::string_view output, std::string_view expected,
                       const Checker& checker);

}  // namespace cohort
