// Patterns of tokenizer.json: PCRE2 with JIT in place of Oniguruma.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace cohort {

// Bytes `begin` to `end` of a text.
struct Span {
  size_t begin = 0;
  size_t end = 0;
};

// What matching needs beside the pattern; one per thread, for all patterns.
class RegexScratch {
 public:
  RegexScratch();
  ~RegexScratch();
  RegexScratch(const RegexScratch&) = delete;
  RegexScratch& operator=(const RegexScratch&) = delete;

 private:
  friend class Regex;
  struct State;
  std::unique_ptr<State> state_;
};

// Thread-safe.
class Regex {
 public:
  // `pattern` in Oniguruma's syntax.
  //   kInvalidArgument, kUnimplemented  with the pattern
  static absl::StatusOr<Regex> Compile(std::string_view pattern);

  ~Regex();
  Regex(Regex&&) noexcept;
  Regex& operator=(Regex&&) noexcept;

  // Appends the matches in `text`, from left to right without overlap; an empty
  // match directly behind another match does not count (Rust's onig crate).
  //   has_additions: CheckText's, of `text` or of a text around it
  //   kResourceExhausted  the pattern needs more steps than are allowed
  // Requires well-formed UTF-8.
  absl::Status FindAll(std::string_view text, bool has_additions,
                       RegexScratch* scratch, std::vector<Span>* matches) const;

 private:
  struct Code;
  Regex();

  std::string pattern_;
  std::unique_ptr<Code> plain_;           // For what PCRE2 knows,
  std::unique_ptr<Code> with_additions_;  // and for newer characters too.
};

}  // namespace cohort
