// Finds the final answer in a completion. Every function takes any bytes and
// works in linear time.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "configs/math_policy.h"

namespace cohort {

// What follows the last "</think>"; all of `text` where there is none.
std::string_view AfterThinking(std::string_view text);

// `text` up to the first end-of-turn token of the common chat templates that
// has something before it; what follows was not meant for the reader.
std::string_view BeforeEndToken(std::string_view text);

// The content of the last closed \boxed{...} or \fbox{...}, braces balanced,
// \{ and \} not counted. Of nested boxes the inner one.
std::optional<std::string_view> LastBoxed(std::string_view text);

// What stands between the last "</answer>" and the "<answer>" before it.
std::optional<std::string_view> LastAnswerTag(std::string_view text);

// The content of the last {...} without braces inside.
std::optional<std::string_view> LastBraces(std::string_view text);

// The rest of the line behind the last "####" (GSM8K, arXiv:2110.14168).
std::optional<std::string_view> LastHashes(std::string_view text);

// The last number as it is written: digits with commas, a decimal point or a
// slash, the sign, $ and % around them; or the last \frac{..}{..}.
std::optional<std::string_view> LastNumber(std::string_view text);

// What a final answer was found by.
enum class FoundBy : uint8_t {
  kNothing,
  kBox,
  kTag,
  kHashes,
  kBrackets,
  kAnchor,   // "the answer is ..."
  kFormula,  // The last $..$.
  kWhole,    // The text is nothing but the answer.
  kNumber,   // The last number.
};

struct ExtractedAnswer {
  FoundBy by = FoundBy::kNothing;
  // The answer; after it the same with less around it, to be tried where the
  // former is not understood.
  std::vector<std::string> candidates;
};

// The final answer of a completion by `policy`. Boxes side by side that are
// joined by "and", "or" or a comma are one answer.
ExtractedAnswer ExtractAnswer(std::string_view completion,
                              const MathPolicy& policy);

}  // namespace cohort
