// What counts as the same answer in mathematics where people disagree. A policy
// is named in the config or by a prompt, goes with every prompt to the grader
// and is stored with the run; every grade says by which version of the rules it
// came about.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace cohort {

// Changes with any meaning of what is here.
inline constexpr int kMathPolicyVersion = 2;

struct MathPolicy {
  // Where the answer may stand. The order is fixed: box, <answer>, "####",
  // "the answer is", the last formula, the last number.
  bool require_box = false;      // Only a box counts.
  bool require_think = false;    // Nothing counts before a "</think>".
  bool join_boxes = true;        // "\boxed{1} and \boxed{2}" is a list.
  bool last_formula = true;      // The last $..$ where nothing is marked.
  bool last_number = true;       // The last number where nothing is marked.
  bool strict_tail = false;      // Nothing may touch the box from behind.
  bool bracket_answers = false;  // The last [..], too.
  bool whole_text = false;       // A text that is an answer as it stands.
  bool choices_only = false;     // The answer is the letter of an option.
  std::string choices;           // The letters; empty: as the gold has it.

  // How an answer is read.
  bool decimal_comma = false;   // 0,5 is 0.5.
  bool unicode_digits = false;  // Full-width, circled and Roman digits.
  bool latex_only = false;      // Bare numbers outside formulas are no answer.
  bool combinations = false;    // {}_5C_2 is a binomial coefficient.
  bool zero_to_zero = false;    // 0^0 is 1; else it has no value.

  // What counts as equal.
  int rounding_digits = -1;          // Decimals compared; -1: exactly.
  bool rounded_decimals = false;     // 0.333333 for 1/3: to the digits shown.
  bool percent_drop = true;          // 25% may be 25; 0.25 in any case.
  bool convert_units = false;        // 10 cm is 0.1 m.
  bool drop_units = true;            // 5 for 5 cm.
  bool drop_base = false;            // 204 for 204_5.
  bool base_value = false;           // 11 for 1011_2.
  bool degrees_are_radians = false;  // 60 degrees is pi/3.
  bool drop_parentheses = false;     // 1,2 for (1,2).
  bool drop_articles = false;        // "an ellipse" for "ellipse".
  bool names_without_order = false;  // "A and B" for "B and A".
  bool ordered_lists = false;        // 1,2 is not 2,1.
  bool scale_ratios = false;         // 6:8 is 3:4.
  bool ratio_is_fraction = false;    // 3:4 is 3/4.
  bool positive_variables = false;   // Equal for positive values is equal.
  bool removable = false;            // x/x is 1.
  bool vector_is_tuple = false;      // A column is (1,2).
  bool assignments_tuple = false;    // x=2, y=3 is (2,3).
  bool reduced_fractions = false;    // 2/4 is not 1/2.
  bool text_only = false;            // Compared as texts.
  bool strict_names = false;         // f(x) is not f(y); so it is in any case.
  bool relations_are_sets = true;    // a < x < b is (a,b).
  bool set_for_relation = true;      // The gold may be the relation.
};

// The policy that `text` describes: choices parted by commas, each one of
// MathPolicyNames(), "rounding=N" (decimals compared) or "choices=ABCD" (the
// letters of the options). "core", or nothing, chooses nothing.
//   kInvalidArgument  no such choice; names the known ones
absl::StatusOr<MathPolicy> ParseMathPolicy(std::string_view text);

std::vector<std::string_view> MathPolicyNames();

}  // namespace cohort
