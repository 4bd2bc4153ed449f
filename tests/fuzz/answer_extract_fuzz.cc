// Any bytes as a completion: an answer that stands in it, or none.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "rewards/maths/answer_extract.h"
#include "rewards/maths/choice_extract.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  cohort::MathPolicy policy;
  policy.bracket_answers = size % 2 == 1;
  const cohort::ExtractedAnswer found = cohort::ExtractAnswer(text, policy);
  if (found.by == cohort::FoundBy::kNothing && !found.candidates.empty()) {
    __builtin_trap();
  }
  for (const std::string& candidate : found.candidates) {
    // Parts of boxes are joined by ", ", nothing else is made up.
    if (candidate.size() > 3 * size + 64) __builtin_trap();
  }
  (void)cohort::LetterOfText(text, "");
  (void)cohort::LetterOfAnswer(text);
  (void)cohort::LastBraces(text);
  return 0;
}
