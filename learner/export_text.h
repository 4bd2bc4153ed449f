// What the filters of an export look at in a text.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace cohort {

// The words of `text`, each as a hash that is the same everywhere: runs of
// letters and digits, ASCII ones in lower case, every Chinese or Japanese
// character by itself, and + - * / = < > ^ % & where they stand between
// operands. Other signs and spaces only part words.
void AppendWords(std::string_view text, std::vector<uint64_t>* words);

// Calls `use(hash)` for every run of `length` words; for none where there are
// fewer. Equal runs have equal hashes.
template <typename Use>
void ForEachRun(const std::vector<uint64_t>& words, size_t length, Use use) {
  constexpr uint64_t kBase = 0x9e3779b97f4a7c15;
  if (words.size() < length || length == 0) return;
  uint64_t out = 1;  // kBase ^ length: the weight of the word that leaves.
  for (size_t i = 0; i < length; ++i) out *= kBase;
  uint64_t hash = 0;
  for (size_t i = 0; i < words.size(); ++i) {
    hash = hash * kBase + words[i];
    if (i >= length) hash -= words[i - length] * out;
    if (i + 1 >= length) use(hash);
  }
}

// Share of the words of more than one letter, outside formulas ($...$ and
// \commands), that are written in the letters of `language` (see
// configs/export_config.h). 1 where there are none.
double LanguageShare(std::string_view text, const std::string& language);

// Characters of the longest paragraph; a blank line parts paragraphs.
int64_t LongestParagraph(std::string_view text);

// Whether there is a code fence, or a line that only a program has.
bool HoldsCode(std::string_view text);

// The reasoning of a completion of the shape `format` ("r1", "compact" or
// none): inside <think>...</think> or, compact, the first [...]; the opening
// <think> may stand at the end of the prompt. Empty where there is none.
std::string_view ReasoningOf(std::string_view text, std::string_view format);

}  // namespace cohort
