// Arithmetic written as text, evaluated exactly.
#pragma once

#include <gmpxx.h>

#include <cstdint>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace cohort {

struct Evaluated {
  mpq_class value;
  std::vector<int64_t> numbers;  // As they appear, from left to right.
};

// Evaluates whole numbers, + - * /, signs and parentheses; also \times, \cdot,
// \div and their Unicode signs. Never recurses; its work is linear in `text`,
// and it stops at the first number beyond `max_numbers`.
//   kInvalidArgument  not such an expression, a number beyond int64, too many
//                     numbers, a division by 0
absl::StatusOr<Evaluated> EvaluateArithmetic(std::string_view text,
                                             size_t max_numbers);

}  // namespace cohort
