#include "rewards/maths/answers.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "proto/status.h"
#include "re2/re2.h"
#include "rewards/maths/answer_extract.h"
#include "rewards/maths/choice_extract.h"
#include "rewards/maths/compare.h"
#include "rewards/maths/lexer.h"
#include "rewards/maths/spelling.h"
#include "rewards/maths/text.h"

namespace cohort {
namespace {

// A longer text is not an answer as it stands.
constexpr size_t kMaxWholeBytes = 500;

std::string Shortened(std::string_view text) {
  return absl::StrCat("'", std::string(text.substr(0, 80)), "'");
}

std::string WithoutSpaces(std::string_view text) {
  std::string out;
  bool space = false;
  for (const char c : text) {
    if (absl::ascii_isspace(c) || c == '$') {
      space = true;
      continue;
    }
    // "4 2" is not 42, nor is "a b" a word.
    const bool between = space && !out.empty() && absl::ascii_isalnum(c) &&
                         absl::ascii_isalnum(out.back());
    if (between) out += ' ';
    out += c;
    space = false;
  }
  while (out.ends_with('.')) out.pop_back();
  return out;
}

// Letters side by side that belong to no command: the answer is words.
bool IsWordy(std::string_view text) {
  static const RE2 word(R"((?:^|[^\\a-zA-Z])[a-zA-Z]{2,})", RE2::Latin1);
  static const RE2 in_text(R"(\\(?:text|mbox|mathrm)\w*\s*\{)", RE2::Latin1);
  return RE2::PartialMatch(text, word) || RE2::PartialMatch(text, in_text);
}

// A number with its base; the parser takes those of decimal digits alone.
std::optional<ParsedMath> NumberInABase(const std::string& words) {
  std::string digits;
  int base = 0;
  if (!SplitBase(words, &digits, &base)) return std::nullopt;
  ParsedMath math;
  const int32_t radix = math.expr.AddNumber(mpq_class(base));
  math.root = math.expr.AddNamed(Op::kBased, digits, {&radix, 1});
  return math;
}

std::optional<ParsedMath> WholeLine(std::string_view words) {
  if (words != "all real numbers" && words != "all reals" &&
      words != "the set of all real numbers" && words != "all real x" &&
      words != "the set of real numbers") {
    return std::nullopt;
  }
  ParsedMath math;
  math.root = math.expr.Add(Op::kReals, {});
  return math;
}

bool HasNoValue(const ParsedMath& math, const MathPolicy& policy) {
  ExactTable exact(&math.expr, policy.zero_to_zero);
  return exact.At(math.root).state == ValueState::kUndefined;
}

std::string WithoutArticles(const std::string& words) {
  std::vector<std::string> kept;
  for (const absl::string_view word : absl::StrSplit(words, ' ')) {
    if (word != "a" && word != "an" && word != "the") kept.emplace_back(word);
  }
  return absl::StrJoin(kept, " ");
}

std::string SortedNames(const std::string& words) {
  std::string flat = words;
  static const RE2 joiner(R"(\s*(?:,|\band\b)\s*)", RE2::Latin1);
  RE2::GlobalReplace(&flat, joiner, ",");
  std::vector<std::string> names = absl::StrSplit(flat, ',', absl::SkipEmpty());
  std::sort(names.begin(), names.end());
  return absl::StrJoin(names, ",");
}

bool SameTexts(const ReadAnswer& a, const ReadAnswer& b,
               const MathPolicy& policy) {
  if (!a.compact.empty() && a.compact == b.compact) return true;
  if (a.words.empty() || !(IsWordy(a.text) || IsWordy(b.text))) return false;
  // In formulas capitals matter.
  const bool formula = a.text.find_first_of("^_=") != std::string::npos;
  if (!formula && JoinedByCommas(PlainPhrase(a.words)) ==
                      JoinedByCommas(PlainPhrase(b.words))) {
    return true;
  }
  if (policy.drop_articles &&
      WithoutArticles(a.words) == WithoutArticles(b.words)) {
    return true;
  }
  return policy.names_without_order &&
         SortedNames(a.words) == SortedNames(b.words);
}

Grade UndecidedGrade(std::string_view extracted, std::string_view reason) {
  Grade grade = WrongGrade(extracted, reason);
  grade.set_verdict(VERDICT_UNDECIDED);
  return grade;
}

Grade Judge(const ReadAnswer& gold, const ReadAnswer& answer,
            std::string_view extracted, const MathPolicy& policy) {
  if (SameTexts(gold, answer, policy)) return CorrectGrade(extracted);
  if (policy.text_only) return WrongGrade(extracted, "another text");
  if (gold.letter != 0) {
    const char letter = LetterOfAnswer(extracted);
    if (letter == gold.letter) return CorrectGrade(extracted);
    if (letter != 0) return WrongGrade(extracted, "another option");
  }
  if (!answer.math.has_value()) return WrongGrade(extracted, answer.flaw);
  if (!gold.math.has_value()) return WrongGrade(extracted, "another text");
  Workspace workspace(policy);
  const int a = workspace.e.Import(gold.math->expr, gold.math->root);
  const int b = workspace.e.Import(answer.math->expr, answer.math->root);
  const Comparison verdict = SameAnswers(&workspace, a, b);
  switch (verdict.equality) {
    case Equality::kEqual:
      return CorrectGrade(extracted);
    case Equality::kUndecided:
      return UndecidedGrade(extracted, verdict.reason);
    case Equality::kDifferent:
      break;
  }
  return WrongGrade(extracted, verdict.reason);
}

// The text as an answer where it is nothing else.
std::optional<ReadAnswer> WholeAnswer(std::string_view text,
                                      const MathPolicy& policy) {
  const std::string_view whole = Trimmed(text);
  if (whole.empty() || whole.size() > kMaxWholeBytes ||
      BeginsWithWords(whole)) {
    return std::nullopt;
  }
  ReadAnswer answer = ReadBareAnswer(whole, policy);
  if (!answer.math.has_value()) return std::nullopt;
  return answer;
}

struct Found {
  ReadAnswer answer;
  std::string extracted;
  FoundBy by = FoundBy::kNothing;
};

// The answer in a text or completion; nothing where there is none.
std::optional<Found> FindAnswer(std::string_view text, AnswerForm form,
                                const MathPolicy& policy) {
  ExtractedAnswer extracted = ExtractAnswer(text, policy);
  const bool marked = extracted.by != FoundBy::kNothing &&
                      extracted.by != FoundBy::kFormula &&
                      extracted.by != FoundBy::kNumber;
  const bool formulas_only = policy.latex_only && form == ANSWER_FORM_TEXT;
  if (!marked && !policy.require_box && !policy.require_think &&
      !formulas_only) {
    const std::string_view after = BeforeEndToken(AfterThinking(text));
    if (auto whole = WholeAnswer(after, policy)) {
      return Found{*std::move(whole), std::string(Trimmed(after)),
                   FoundBy::kWhole};
    }
  }
  std::optional<Found> first;
  for (std::string& candidate : extracted.candidates) {
    if (candidate.empty()) continue;
    Found found = {ReadBareAnswer(candidate, policy), candidate, extracted.by};
    if (found.answer.math.has_value()) return found;
    if (!first.has_value()) first = std::move(found);
  }
  return first;
}

// What stands behind the last equals sign of a formula in a text.
std::string_view LastSide(std::string_view formula) {
  const size_t equals = formula.rfind('=');
  return equals == std::string_view::npos ? std::string_view()
                                          : formula.substr(equals + 1);
}

Grade GradeLetter(const ReadAnswer& gold, std::string_view text,
                  const MathPolicy& policy) {
  const char letter = LetterOfText(text, policy.choices);
  if (letter == 0) return FormatErrorGrade("no option");
  const std::string shown(1, letter);
  return letter == gold.letter ? CorrectGrade(shown)
                               : WrongGrade(shown, "another option");
}

}  // namespace

ReadAnswer ReadBareAnswer(std::string_view text, const MathPolicy& policy) {
  ReadAnswer answer;
  if (text.size() > kMaxAnswerBytes) {
    answer.flaw = "longer than an answer may be";
    return answer;
  }
  answer.text = UsualSpelling(AsciiMath(Trimmed(text), policy.unicode_digits));
  if (policy.combinations) answer.text = BinomialSpelling(answer.text);
  answer.compact = WithoutSpaces(answer.text);
  answer.words = PlainWords(answer.text);
  answer.letter = GoldLetter(answer.text);
  answer.math = NumberInABase(answer.words);
  if (!answer.math.has_value()) answer.math = WholeLine(answer.words);
  if (answer.math.has_value()) return answer;
  absl::StatusOr<ParsedMath> math = ParseMath(answer.text, policy);
  if (math.ok()) {
    answer.math = *std::move(math);
  } else {
    answer.flaw = std::string(math.status().message());
  }
  return answer;
}

absl::StatusOr<ReadAnswer> ReadGold(std::string_view gold, AnswerForm form,
                                    const MathPolicy& policy) {
  if (Trimmed(gold).empty()) return absl::InvalidArgumentError("no answer");
  ReadAnswer answer;
  const bool boxed = LastBoxed(gold).has_value();
  if (policy.choices_only) {
    const char letter = LetterOfText(AfterThinking(gold), policy.choices);
    if (letter == 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("answer ", Shortened(gold), " names no option"));
    }
    answer = ReadBareAnswer(std::string(1, letter), policy);
  } else if (form == ANSWER_FORM_TEXT || boxed) {
    std::optional<Found> found = FindAnswer(gold, ANSWER_FORM_TEXT, policy);
    answer = found.has_value() ? std::move(found->answer)
                               : ReadBareAnswer(gold, policy);
  } else {
    answer = ReadBareAnswer(gold, policy);
  }
  if (answer.math.has_value() && HasNoValue(*answer.math, policy)) {
    return absl::InvalidArgumentError(
        absl::StrCat("answer ", Shortened(gold), " has no value"));
  }
  const bool nan =
      answer.words == "nan" || answer.words == "null" || answer.words == "none";
  if (nan || (!answer.math.has_value() && !IsWordy(answer.text))) {
    return absl::InvalidArgumentError(
        absl::StrCat("answer ", Shortened(gold), " is not understood",
                     answer.flaw.empty() ? "" : ": ", answer.flaw));
  }
  return answer;
}

Grade GradePrediction(const ReadAnswer& gold, std::string_view prediction,
                      AnswerForm form, const MathPolicy& policy) {
  if (policy.choices_only) {
    return GradeLetter(gold, AfterThinking(prediction), policy);
  }
  if (form == ANSWER_FORM_BARE) {
    const std::string_view bare = Trimmed(prediction);
    if (bare.empty()) return FormatErrorGrade("no answer");
    return Judge(gold, ReadBareAnswer(bare, policy), bare, policy);
  }
  const std::optional<Found> found = FindAnswer(prediction, form, policy);
  if (!found.has_value()) {
    bool open = prediction.find("\\boxed") != std::string_view::npos;
    if (gold.letter != 0 && !open && !policy.require_box &&
        prediction.find("<think>") == std::string_view::npos) {
      return GradeLetter(gold, AfterThinking(prediction), policy);
    }
    return FormatErrorGrade("no final answer");
  }
  const bool unmarked =
      found->by == FoundBy::kFormula || found->by == FoundBy::kNumber ||
      found->by == FoundBy::kAnchor || found->by == FoundBy::kWhole;
  Grade grade = Judge(gold, found->answer, found->extracted, policy);
  if (grade.verdict() == VERDICT_CORRECT) return grade;
  if (gold.letter != 0 && unmarked) {
    return GradeLetter(gold, AfterThinking(prediction), policy);
  }
  if (form == ANSWER_FORM_TEXT && found->by == FoundBy::kFormula) {
    const std::string_view side = LastSide(found->extracted);
    if (!Trimmed(side).empty()) {
      const Grade again =
          Judge(gold, ReadBareAnswer(side, policy), side, policy);
      if (again.verdict() == VERDICT_CORRECT) return again;
    }
  }
  return grade;
}

}  // namespace cohort
