// The languages of the sandbox, from their YAML table.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "sandbox/language.h"

namespace cohort {

// Reads a table as sandbox/languages.yaml describes it. kInvalidArgument:
// "<name>:<line>: ...".
absl::StatusOr<LanguageTable> ParseLanguageTable(const std::string& yaml,
                                                 const std::string& name);

// The table that is built in. It is sound: a test reads it.
LanguageTable BuiltInLanguages();

}  // namespace cohort
