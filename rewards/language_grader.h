// How much of a completion is in one language.
#pragma once

#include "rewards/grader.h"

namespace cohort {

// The language consistency of DeepSeek-R1 (arXiv:2501.12948, section 2.3): the
// share of the completion's words, the thinking included, that are in the
// script of the language Prompt.answer: en, de, fr, es, it, pt (Latin), zh
// (Han), ja (Han and kana), ko (Hangul), ru (Cyrillic), el, ar, he, hi, th. A
// word is a run of letters, in Han, kana and Thai one letter. Verdict `correct`
// with the share as its score; `format_error` where there are no words. Source
// text in LaTeX commands (\frac) counts for no language.
class LanguageGrader : public Grader {
 public:
  absl::Status CheckPrompt(const Prompt& prompt) const override;
  absl::StatusOr<Grade> GradeOne(const Prompt& prompt,
                                 const Completion& completion,
                                 absl::Time deadline) const override;
};

}  // namespace cohort
