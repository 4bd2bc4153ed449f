// Oniguruma's regular expressions in PCRE2's syntax.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace cohort {

// `pattern`, of the syntax that Rust's onig crate takes by default (Oniguruma
// 6.9.10), for PCRE2 with UTF, UCP and MULTILINE. What the two see differently
// is written out: \s, \w, \d, \h, \b and the POSIX brackets, (?m), {n,m}+,
// nested character classes and &&, scripts, \uHHHH.
//   with_additions: also what Unicode 15 and 16 added
//   kUnimplemented  a construct that PCRE2 has nothing for, named
// Not translated: the folding of several characters into one under (?i).
absl::StatusOr<std::string> TranslateOniguruma(std::string_view pattern,
                                               bool with_additions);

}  // namespace cohort
