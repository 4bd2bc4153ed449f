// The letter of an option in a multiple-choice answer.
#pragma once

#include <string_view>

namespace cohort {

// The letter where `gold` is nothing but an option: "B", "(B)", "\text{B}".
// 0 for anything else.
char GoldLetter(std::string_view gold);

// The option that a bare answer names: "B", "(b)", "\textbf{(B)}\ 12",
// "B. Paris". 0 where it names none, or more than one.
char LetterOfAnswer(std::string_view answer);

// The option that a text ends up with: behind "the answer is", else the last
// letter that stands alone. `choices` are the letters to look for, all capitals
// up to J where it is empty. 0 where there is none.
char LetterOfText(std::string_view text, std::string_view choices);

}  // namespace cohort
