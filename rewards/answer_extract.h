// Finds the final answer in a completion. Every function takes any bytes and
// works in linear time.
#pragma once

#include <optional>
#include <string_view>

namespace cohort {

// What follows the last "</think>"; all of `text` where there is none.
std::string_view AfterThinking(std::string_view text);

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

}  // namespace cohort
