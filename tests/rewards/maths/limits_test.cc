// No input makes grading slow: work is counted, not timed, and texts are read
// in linear time.
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "rewards/graders.h"
#include "rewards/maths/answers.h"
#include "tests/testing/status_matchers.h"

namespace cohort {
namespace {

// CPU time of one grade; sanitizers are let off.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr double kMaxMs = 5000;
#else
constexpr double kMaxMs = 100;
#endif

std::string Times(const std::string& piece, size_t bytes) {
  std::string text;
  while (text.size() < bytes) text += piece;
  return text;
}

void ExpectFast(const std::string& gold, const std::string& prediction,
                AnswerForm form) {
  const MathPolicy policy;
  const double begin = ThreadCpuMs();
  const auto read = ReadGold(gold, ANSWER_FORM_BARE, policy);
  if (!read.ok()) return;  // Refused at the door.
  (void)GradePrediction(*read, prediction, form, policy);
  EXPECT_LE(ThreadCpuMs() - begin, kMaxMs)
      << gold.substr(0, 60) << " | " << prediction.substr(0, 60);
}

TEST(MathLimitsTest, AMegabyteOfAnythingIsReadAtOnce) {
  constexpr size_t kBytes = 1000000;
  for (const char* piece :
       {"{",        "}",          "9",   "^",   "_",   "\\",
        "\\boxed{", "\\boxed{7}", "$",   "$x$", "(",   "<",
        "\\frac",   "\\sqrt{",    "x",   "|",   "-",   "answer is ",
        "#",        "\n",         " ",   "A ",  "1,",  "<answer>",
        "</think>", "\\text{",    "{,}", "&",   "\xff"}) {
    for (const char* gold : {"42", "B"}) {
      const std::string text = Times(piece, kBytes);
      ExpectFast(gold, text, ANSWER_FORM_COMPLETION);
      ExpectFast(gold, absl::StrCat("\\boxed{", text, "}"),
                 ANSWER_FORM_COMPLETION);
      ExpectFast(gold, absl::StrCat("\\boxed{", text.substr(0, 16000), "}"),
                 ANSWER_FORM_COMPLETION);
    }
  }
}

TEST(MathLimitsTest, TowersAndTanglesEndWithinTheBudget) {
  for (const std::string text :
       {"9^{9^{9^9}}",
        "2^{2^{2^{2^{2^2}}}}",
        "(((10^{10})^{10})^{10})^{10}",
        "1000000!",
        "(10^9)!",
        "\\binom{10^9}{10^8}",
        "\\sin(10^{1000})",
        "\\sin(10^{10^{10}})",
        "e^{e^{e^{e^e}}}",
        "(1+\\sqrt2)^{4000}",
        "\\sqrt{2}+\\sqrt{3}+\\sqrt{5}+\\sqrt{7}+\\sqrt{11}+\\sqrt{13}",
        "(1+\\sqrt[3]{2}+\\sqrt[5]{3})^{60}",
        "\\cos\\frac{\\pi}{97}",
        "\\sum_{k=1}^{400}\\sqrt{k}",
        "\\prod_{k=1}^{300}(1+\\frac{1}{k^2})",
        "\\gcd(2^{4000}-1,3^{2500}-1)",
        "\\tan(\\tan(\\tan(\\tan 1)))",
        "x^{x^{x^x}}",
        "(x+1)^{10^{100}}",
        "(x+y+z+w)^{500}",
        "1+10^{-4000}",
        "\\log_2 3\\cdot\\log_3 5\\cdot\\log_5 7\\cdot\\log_7 8",
        "(\\sqrt[16]{3}+\\sqrt[16]{5}+1)^{64}",
        "(1+i)^{(1+i)^{(1+i)}}"}) {
    for (const std::string& gold :
         {std::string("42"), std::string("\\sqrt{2}"),
          absl::StrCat("2 \\cdot (", text, ")/2"),
          absl::StrCat("(", text, ")(\\sin^2 1+\\cos^2 1)"),
          absl::StrCat("(", text, ")+(\\sqrt{2}-\\sqrt{8}/2)")}) {
      ExpectFast(gold, text, ANSWER_FORM_BARE);
      ExpectFast(text, gold, ANSWER_FORM_BARE);
    }
  }
}

TEST(MathLimitsTest, LongListsAndUnionsEndWithinTheBudget) {
  std::string list;
  std::string roots;
  std::string pieces;
  for (int i = 0; i < 1500; ++i) {
    absl::StrAppend(&list, i == 0 ? "" : ", ", i);
    if (i < 800) absl::StrAppend(&roots, i == 0 ? "" : ", ", "\\sqrt{", i, "}");
    if (i < 300) {
      absl::StrAppend(&pieces, i == 0 ? "" : "\\cup", "(", i, ",", i + 1, ")");
    }
  }
  for (const std::string& text : {list, roots, pieces}) {
    ExpectFast(text, text, ANSWER_FORM_BARE);
    ExpectFast(text, absl::StrCat(text, " "), ANSWER_FORM_BARE);
    ExpectFast(text, absl::StrCat("\\left.", text), ANSWER_FORM_BARE);
    ExpectFast("1, 2", text, ANSWER_FORM_BARE);
  }
}

}  // namespace
}  // namespace cohort
