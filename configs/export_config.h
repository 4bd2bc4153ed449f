// The knobs of the export of completions, by the verb and during a run; see
// configs/config.h.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"

namespace cohort {

// What is exported and what is left out. The filters work in the order of the
// fields.
struct ExportConfig {
  // During a run: the JSONL file that grows at every checkpoint; empty: none.
  std::string file;
  // Only completions with the verdict `correct`.
  bool correct = false;
  // Only completions of so many tokens; 0: no limit.
  int min_completion_tokens = 0;
  int max_completion_tokens = 0;
  // Only groups of which such a share of the graded completions is correct.
  double min_pass_rate = 0.0;
  double max_pass_rate = 1.0;
  // Only completions of which 95 % of the words are in the letters of this
  // language (en, zh, ...; en is any language in Latin letters); empty: all
  // (DeepSeek-R1, arXiv:2501.12948, 2.3.3: no mixed languages).
  std::string language;
  // Only completions without a paragraph of more characters; 0: no limit
  // (DeepSeek-R1: no long paragraphs).
  int max_paragraph = 0;
  // Only completions without code, where the verifier does not run code
  // (DeepSeek-R1: no code blocks).
  bool no_code = false;
  // Files of tests (.jsonl, .parquet, .txt). Left out is what shares a run of
  // `ngram` words with one of their texts, or holds a shorter one whole
  // (DeepSeekMath, arXiv:2402.03300, 2.1).
  std::vector<std::string> decontaminate;
  int ngram = 10;
  // keep all; exact: one of equal completions of one prompt text; near: one of
  // those that have `similarity` of their runs of 5 words in common, too
  // (Jaccard, by MinHash).
  std::string duplicates = "keep";
  double similarity = 0.8;
  // Most completions per prompt text, the first ones; 0: all.
  int per_prompt = 0;
  // Rows hold the token ids of prompt and completion.
  bool token_ids = false;
  bool operator==(const ExportConfig&) const = default;
};

// Whether every value is one that the config would take.
//   kInvalidArgument  naming the key
absl::Status CheckExportValues(const ExportConfig& config);

}  // namespace cohort
