#define PCRE2_CODE_UNIT_WIDTH 8
#include "model/tokenizer/regex.h"

#include <pcre2.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/tokenizer/oniguruma_syntax.h"
#include "proto/check.h"
#include "proto/status.h"

namespace cohort {
namespace {

// Steps of one match. Far above what a pattern needs that goes over its text
// but a few times, and low enough that one that does not soon ends.
uint32_t MatchLimit(size_t text_bytes) {
  constexpr size_t kMost = 2'000'000'000;
  return static_cast<uint32_t>(std::min(kMost, 100'000 + 64 * text_bytes));
}
constexpr uint32_t kHeapLimitKib = 256 << 10;
constexpr size_t kJitStackBytes = 8 << 20;

}  // namespace

struct RegexScratch::State {
  pcre2_match_data* data = pcre2_match_data_create(1, nullptr);
  pcre2_match_context* context = pcre2_match_context_create(nullptr);
  pcre2_jit_stack* stack =
      pcre2_jit_stack_create(32 << 10, kJitStackBytes, nullptr);

  State() {
    COHORT_CHECK(data != nullptr && context != nullptr);
    pcre2_set_heap_limit(context, kHeapLimitKib);
    // Without JIT there is no stack either.
    if (stack != nullptr) pcre2_jit_stack_assign(context, nullptr, stack);
  }
  ~State() {
    pcre2_jit_stack_free(stack);
    pcre2_match_context_free(context);
    pcre2_match_data_free(data);
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
};

RegexScratch::RegexScratch() : state_(std::make_unique<State>()) {}
RegexScratch::~RegexScratch() = default;

struct Regex::Code {
  pcre2_code* code = nullptr;
  bool jit = false;

  Code() = default;
  ~Code() { pcre2_code_free(code); }
  Code(const Code&) = delete;
  Code& operator=(const Code&) = delete;

  static absl::StatusOr<std::unique_ptr<Code>> Compile(std::string_view pattern,
                                                       bool with_additions) {
    COHORT_ASSIGN_OR_RETURN(const std::string translated,
                            TranslateOniguruma(pattern, with_additions));
    auto result = std::make_unique<Code>();
    int error = 0;
    size_t place = 0;
    result->code = pcre2_compile(
        reinterpret_cast<PCRE2_SPTR>(translated.data()), translated.size(),
        PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C,
        &error, &place, nullptr);
    if (result->code == nullptr) {
      unsigned char message[256];
      pcre2_get_error_message(error, message, sizeof(message));
      return absl::InvalidArgumentError(
          absl::StrCat("pattern \"", std::string(pattern),
                       "\": ", reinterpret_cast<char*>(message)));
    }
    result->jit = pcre2_jit_compile(result->code, PCRE2_JIT_COMPLETE) == 0;
    return result;
  }

  // As pcre2_match returns.
  int Match(std::string_view text, size_t from,
            RegexScratch::State* state) const {
    const auto* const subject = reinterpret_cast<PCRE2_SPTR>(text.data());
    if (jit) {
      const int found =
          pcre2_jit_match(code, subject, text.size(), from, PCRE2_NO_UTF_CHECK,
                          state->data, state->context);
      if (found != PCRE2_ERROR_JIT_STACKLIMIT) return found;
    }
    return pcre2_match(code, subject, text.size(), from,
                       PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, state->data,
                       state->context);
  }
};

Regex::Regex() = default;
Regex::~Regex() = default;
Regex::Regex(Regex&&) noexcept = default;
Regex& Regex::operator=(Regex&&) noexcept = default;

absl::StatusOr<Regex> Regex::Compile(std::string_view pattern) {
  Regex regex;
  regex.pattern_.assign(pattern);
  COHORT_ASSIGN_OR_RETURN(regex.plain_, Code::Compile(pattern, false));
  COHORT_ASSIGN_OR_RETURN(regex.with_additions_, Code::Compile(pattern, true));
  return regex;
}

absl::Status Regex::FindAll(std::string_view text, bool has_additions,
                            RegexScratch* scratch,
                            std::vector<Span>* matches) const {
  const Code& code = has_additions ? *with_additions_ : *plain_;
  RegexScratch::State* const state = scratch->state_.get();
  const size_t* const found = pcre2_get_ovector_pointer(state->data);
  pcre2_set_match_limit(state->context, MatchLimit(text.size()));
  size_t from = 0;
  bool after_match = false;  // A match ends at `from`.
  while (from <= text.size()) {
    const int result = code.Match(text, from, state);
    if (result == PCRE2_ERROR_NOMATCH) break;
    if (result < 0) {
      return absl::ResourceExhaustedError(
          absl::StrCat("pattern \"", pattern_, "\" gives up on a text of ",
                       text.size(), " bytes (PCRE2 error ", result, ")"));
    }
    const Span match = {found[0], found[1]};
    if (match.begin == match.end && after_match && match.end == from) {
      after_match = false;
      ++from;
      while (from < text.size() &&
             (static_cast<unsigned char>(text[from]) & 0xC0) == 0x80) {
        ++from;
      }
      continue;
    }
    // \K can end a match before it begins.
    if (match.end < match.begin || match.begin < from) {
      return absl::InvalidArgumentError(
          absl::StrCat("pattern \"", pattern_, "\" matches backwards"));
    }
    matches->push_back(match);
    from = match.end;
    after_match = true;
  }
  return absl::OkStatus();
}

}  // namespace cohort
