#include "learner/decontamination.h"

#include <algorithm>
#include <array>
#include <bit>
#include <string_view>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "learner/export_text.h"
#include "nlohmann/json.hpp"
#include "proto/rows.h"
#include "proto/status.h"

namespace cohort {
namespace {

constexpr size_t kFewestWords = 3;

bool IsPromptField(std::string_view name) {
  constexpr std::array<std::string_view, 7> kNames = {
      "prompt", "question", "problem",    "text",
      "input",  "content",  "instruction"};
  return std::find(kNames.begin(), kNames.end(), name) != kNames.end();
}

template <typename Use>
void ForEachText(const nlohmann::json& value, bool prompt, Use use) {
  if (value.is_string()) {
    use(value.get_ref<const std::string&>(), prompt);
  } else if (value.is_object()) {
    for (const auto& [name, part] : value.items()) {
      ForEachText(part, IsPromptField(name), use);
    }
  } else if (value.is_array()) {
    for (const nlohmann::json& part : value) ForEachText(part, prompt, use);
  }
}

// The lengths mix into the hash: a short text is no part of a longer run.
uint64_t Key(uint64_t run, size_t length) {
  uint64_t key = run ^ (length * 0x9e3779b97f4a7c15);
  key ^= key >> 32;
  key *= 0xd6e8feb86659fd93;
  return key ^ (key >> 32);
}

}  // namespace

absl::StatusOr<Decontamination> Decontamination::Load(
    const std::vector<std::string>& files, int ngram) {
  Decontamination tests;
  tests.ngram_ = static_cast<size_t>(ngram);
  for (const std::string& file : files) {
    int64_t texts = 0;
    COHORT_RETURN_IF_ERROR(
        ForEachRow(file, [&](int64_t, std::string_view line) -> absl::Status {
          if (absl::EndsWith(file, ".txt")) {
            texts += tests.AddText(std::string(line), true) ? 1 : 0;
            return absl::OkStatus();
          }
          const nlohmann::json row =
              nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
          if (!row.is_object()) {
            return absl::InvalidArgumentError("not a JSON object");
          }
          ForEachText(row, false, [&](const std::string& text, bool prompt) {
            texts += tests.AddText(text, prompt) ? 1 : 0;
          });
          return absl::OkStatus();
        }));
    if (texts == 0) {
      return absl::InvalidArgumentError(
          absl::StrCat(file, ": no text to look for: none of ", ngram,
                       " words, and no prompt of ", kFewestWords));
    }
  }
  const size_t bits = std::bit_ceil(std::max<size_t>(64, tests.size() * 16));
  tests.filter_mask_ = bits - 1;
  tests.filter_.assign(bits / 64, 0);
  for (const uint64_t run : tests.runs_) {
    const uint64_t bit = run & tests.filter_mask_;
    tests.filter_[bit / 64] |= uint64_t{1} << (bit % 64);
  }
  return tests;
}

bool Decontamination::AddText(const std::string& text, bool prompt) {
  std::vector<uint64_t> words;
  AppendWords(text, &words);
  const size_t length = std::min(ngram_, words.size());
  if (length < ngram_ && (!prompt || length < kFewestWords)) return false;
  lengths_.insert(length);
  ForEachRun(words, length,
             [&](uint64_t run) { runs_.insert(Key(run, length)); });
  return true;
}

bool Decontamination::MayHold(uint64_t run) const {
  const uint64_t bit = run & filter_mask_;
  return (filter_[bit / 64] >> (bit % 64)) & 1;
}

bool Decontamination::Holds(const std::vector<uint64_t>& words) const {
  bool found = false;
  for (const size_t length : lengths_) {
    ForEachRun(words, length, [&](uint64_t run) {
      const uint64_t key = Key(run, length);
      found = found || (MayHold(key) && runs_.contains(key));
    });
    if (found) return true;
  }
  return false;
}

}  // namespace cohort
