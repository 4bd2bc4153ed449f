// Any bytes as an answer: a tree whose nodes stand behind their children, or a
// reason why not.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "rewards/maths/build.h"
#include "rewards/maths/parser.h"
#include "rewards/maths/text.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  cohort::MathPolicy policy;
  policy.decimal_comma = size % 3 == 0;
  const std::string ascii = cohort::AsciiMath(text, size % 2 == 0);
  (void)cohort::PlainWords(ascii);
  const auto math = cohort::ParseMath(ascii, policy);
  if (!math.ok()) return 0;
  const cohort::Expr& e = math->expr;
  if (math->root < 0 || math->root >= static_cast<int>(e.nodes.size())) {
    __builtin_trap();
  }
  for (int i = 0; i < static_cast<int>(e.nodes.size()); ++i) {
    for (const int kid : e.Kids(i)) {
      if (kid < 0 || kid >= i) __builtin_trap();
    }
  }
  return 0;
}
