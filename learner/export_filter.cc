#include "learner/export_filter.h"

#include <algorithm>

#include "learner/advantage.h"
#include "learner/export_text.h"
#include "proto/status.h"

namespace cohort {
namespace {

constexpr double kOneLanguage = 0.95;

constexpr std::array<std::string_view, kFilters> kNames = {
    "correct",        "length",    "pass_rate",     "language",
    "max_paragraph",  "no_code",   "decontaminate", "exact_duplicate",
    "near_duplicate", "per_prompt"};

// Runs of blanks count as one, so that a line end more makes no other prompt.
uint64_t HashPrompt(const Prompt& prompt) {
  std::string text;
  const auto add = [&text](std::string_view part) {
    for (const char c : part) {
      const bool blank = c == ' ' || c == '\n' || c == '\t' || c == '\r';
      if (blank && (text.empty() || text.back() == ' ')) continue;
      text += blank ? ' ' : c;
    }
    text += '\x1f';
  };
  for (const Message& message : prompt.messages()) {
    add(message.role());
    add(message.content());
  }
  if (prompt.messages().empty()) add(prompt.text());
  return HashBytes(text);
}

void AppendPromptWords(const Prompt& prompt, std::vector<uint64_t>* words) {
  for (const Message& message : prompt.messages()) {
    AppendWords(message.content(), words);
  }
  if (prompt.messages().empty()) AppendWords(prompt.text(), words);
}

}  // namespace

std::string_view FilterName(Filter filter) {
  return kNames[static_cast<size_t>(filter)];
}

double PassRateOf(const Group& group) {
  int correct = 0;
  int graded = 0;
  for (const Trajectory& trajectory : group.trajectories()) {
    if (!HasGrade(trajectory)) continue;
    ++graded;
    if (trajectory.grade().verdict() == VERDICT_CORRECT) ++correct;
  }
  return graded == 0 ? 0.0 : static_cast<double>(correct) / graded;
}

absl::StatusOr<ExportFilter> ExportFilter::Create(const ExportConfig& config) {
  ExportFilter filter(config);
  if (!config.decontaminate.empty()) {
    COHORT_ASSIGN_OR_RETURN(
        filter.tests_,
        Decontamination::Load(config.decontaminate, config.ngram));
  }
  return filter;
}

bool ExportFilter::IsOn(Filter filter) const {
  switch (filter) {
    case Filter::kCorrect:
      return config_.correct;
    case Filter::kLength:
      return config_.min_completion_tokens > 0 ||
             config_.max_completion_tokens > 0;
    case Filter::kPassRate:
      return config_.min_pass_rate > 0 || config_.max_pass_rate < 1;
    case Filter::kLanguage:
      return !config_.language.empty();
    case Filter::kParagraph:
      return config_.max_paragraph > 0;
    case Filter::kCode:
      return config_.no_code;
    case Filter::kDecontamination:
      return !config_.decontaminate.empty();
    case Filter::kExactDuplicate:
      return config_.duplicates != "keep";
    case Filter::kNearDuplicate:
      return config_.duplicates == "near";
    case Filter::kPerPrompt:
      return config_.per_prompt > 0;
  }
  return false;
}

bool ExportFilter::Remembers() const {
  return IsOn(Filter::kExactDuplicate) || IsOn(Filter::kPerPrompt);
}

void ExportFilter::BeginGroup(const Group& group) {
  group_ = &group;
  pass_rate_ = PassRateOf(group);
  if (Remembers()) current_.prompt = HashPrompt(group.prompt());
  if (IsOn(Filter::kDecontamination)) {
    words_.clear();
    AppendPromptWords(group.prompt(), &words_);
    prompt_is_contaminated_ = tests_.Holds(words_);
  }
}

bool ExportFilter::Keeps(const Trajectory& trajectory) {
  ++read_;
  has_words_ = false;
  const size_t against = FirstAgainst(trajectory);
  if (against < kFilters) {
    ++dropped_[against];
    return false;
  }
  if (Remembers()) seen_.Add(current_);
  return true;
}

size_t ExportFilter::FirstAgainst(const Trajectory& trajectory) {
  for (size_t i = 0; i <= static_cast<size_t>(Filter::kCode); ++i) {
    const Filter filter = static_cast<Filter>(i);
    if (IsOn(filter) && !FitsByText(trajectory, filter)) return i;
  }
  if (IsOn(Filter::kDecontamination) && IsContaminated(trajectory)) {
    return static_cast<size_t>(Filter::kDecontamination);
  }
  return Remembers() ? FirstAgainstSeen(trajectory) : kFilters;
}

bool ExportFilter::FitsByText(const Trajectory& trajectory,
                              Filter filter) const {
  switch (filter) {
    case Filter::kCorrect:
      return trajectory.grade().verdict() == VERDICT_CORRECT;
    case Filter::kLength:
      return trajectory.tokens_size() >= config_.min_completion_tokens &&
             (config_.max_completion_tokens == 0 ||
              trajectory.tokens_size() <= config_.max_completion_tokens);
    case Filter::kPassRate:
      return pass_rate_ >= config_.min_pass_rate &&
             pass_rate_ <= config_.max_pass_rate;
    case Filter::kLanguage:
      return LanguageShare(trajectory.text(), config_.language) >= kOneLanguage;
    case Filter::kParagraph:
      return LongestParagraph(trajectory.text()) <= config_.max_paragraph;
    case Filter::kCode:
      return group_->prompt().verifier() == "code" ||
             !HoldsCode(trajectory.text());
    default:
      return true;
  }
}

bool ExportFilter::IsContaminated(const Trajectory& trajectory) {
  if (prompt_is_contaminated_) return true;
  words_.clear();
  AppendWords(trajectory.text(), &words_);
  has_words_ = true;
  return tests_.Holds(words_);
}

size_t ExportFilter::FirstAgainstSeen(const Trajectory& trajectory) {
  current_.completion = static_cast<uint32_t>(HashBytes(trajectory.text()));
  const bool near = IsOn(Filter::kNearDuplicate);
  if (near) {
    if (!has_words_) {
      words_.clear();
      AppendWords(trajectory.text(), &words_);
    }
    current_.words = MinHashOf(words_);
  }
  if (IsOn(Filter::kExactDuplicate)) {
    const SeenCompletions::Match match =
        seen_.Find(current_, near ? config_.similarity : 2.0);
    if (match == SeenCompletions::Match::kExact) {
      return static_cast<size_t>(Filter::kExactDuplicate);
    }
    if (match == SeenCompletions::Match::kNear) {
      return static_cast<size_t>(Filter::kNearDuplicate);
    }
  }
  if (config_.per_prompt > 0 &&
      seen_.CountOf(current_.prompt, config_.per_prompt) >=
          config_.per_prompt) {
    return static_cast<size_t>(Filter::kPerPrompt);
  }
  return kFilters;
}

std::vector<int64_t> ExportFilter::SaveCounts() const {
  std::vector<int64_t> counts = {read_};
  counts.insert(counts.end(), dropped_.begin(), dropped_.end());
  return counts;
}

bool ExportFilter::Restore(const std::vector<int64_t>& counts) {
  if (counts.size() != kFilters + 1) return false;
  read_ = counts.front();
  std::copy(counts.begin() + 1, counts.end(), dropped_.begin());
  return true;
}

}  // namespace cohort
