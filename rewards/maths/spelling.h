// Answers that are written in an unusual way, rewritten to the usual one before
// they are read. Every function works in linear time.
#pragma once

#include <string>
#include <string_view>

namespace cohort {

// Doubled backslashes, colours, spaces with a width, "+/-", "1.5 x 10^3",
// "(mod 7)", \R, \mathbf{i} and \hat{\jmath}, words in front of the answer
// ("\text{The answer is } 42"), an answer inside \text{..}.
std::string UsualSpelling(std::string text);

// "{}_5C_2" and "_5C_2" as binomials.
std::string BinomialSpelling(const std::string& text);

// A number and its base, "AB_{16}", "(1011)_{two}", "1011 base 2": the digits
// in lower case, and the base. False for any other text.
bool SplitBase(std::string_view words, std::string* digits, int* base);

// Words joined by commas or "and" with commas alone: "a, b and c" is "a,b,c".
std::string JoinedByCommas(const std::string& words);

// "no solutions" as "no solution", "10:00 am" as "10 am".
std::string PlainPhrase(const std::string& words);

// Whether `text` begins with words that are no part of a formula: "so 42".
bool BeginsWithWords(std::string_view text);

}  // namespace cohort
