#include "rewards/graders.h"

#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "tests/testing/status_matchers.h"

namespace cohort {
namespace {

Prompt PromptOf(const std::string& verifier, const std::string& answer) {
  Prompt prompt;
  prompt.set_id("p7");
  prompt.set_verifier(verifier);
  prompt.set_answer(answer);
  return prompt;
}

TEST(GradersTest, AnUnknownVerifierNamesThePromptAndTheKnownOnes) {
  EXPECT_THAT(GraderFor(MakeGraders(), PromptOf("poetry", "4")),
              StatusIs(absl::StatusCode::kNotFound,
                       testing::StartsWith(
                           "prompt p7: no verifier 'poetry'; "
                           "known: chain, code, command, countdown, exact")));
}

TEST(GradersTest, ALackingPromptNamesItselfAndWhatItLacks) {
  EXPECT_THAT(GraderFor(MakeGraders(), PromptOf("chain", "")),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "prompt p7: verifier chain: no answer"));
  Prompt prompt = PromptOf("chain", "4");
  prompt.set_format("haiku");
  EXPECT_THAT(
      GraderFor(MakeGraders(), prompt),
      StatusIs(absl::StatusCode::kInvalidArgument,
               "prompt p7: verifier chain: no format 'haiku'; known: compact, "
               "r1"));
}

TEST(GradersTest, FormatAndAccuracyAreScoredApart) {
  const GraderMap graders = MakeGraders();
  Prompt prompt = PromptOf("chain", "4");
  prompt.set_format("compact");
  const auto grader = GraderFor(graders, prompt);
  COHORT_ASSERT_OK(grader);
  const auto graded = [&](Completion completion) {
    const auto grade =
        GradeCompletion(**grader, prompt, completion, absl::InfiniteFuture());
    COHORT_EXPECT_OK(grade);
    return std::pair(grade->score(), grade->format());
  };
  EXPECT_EQ(graded({.text = "[]{4}"}), std::pair(1.0, 1.0));
  EXPECT_EQ(graded({.text = "{4}"}), std::pair(1.0, 0.0));
  EXPECT_EQ(graded({.text = "[]{5}"}), std::pair(0.0, 1.0));
  EXPECT_EQ(graded({.text = "[]{4}", .finished = false}), std::pair(1.0, 0.0));
}

TEST(GradersTest, NothingIsGradedAfterTheDeadline) {
  const GraderMap graders = MakeGraders();
  const Prompt prompt = PromptOf("chain", "4");
  EXPECT_THAT(
      GradeCompletion(*graders.at("chain"), prompt, {}, absl::InfinitePast()),
      StatusIs(absl::StatusCode::kDeadlineExceeded, testing::HasSubstr("p7")));
}

TEST(GradersTest, ExactComparesTrimmedTextsBehindTheThinking) {
  const GraderMap graders = MakeGraders();
  const Prompt prompt = PromptOf("exact", " to be\n");
  const auto verdict = [&](std::string_view text) {
    return GradeCompletion(*graders.at("exact"), prompt, {.text = text},
                           absl::InfiniteFuture())
        ->verdict();
  };
  EXPECT_EQ(verdict("\tto be "), VERDICT_CORRECT);
  EXPECT_EQ(verdict("<think>or not</think> to be"), VERDICT_CORRECT);
  EXPECT_EQ(verdict("To be"), VERDICT_WRONG);
  EXPECT_EQ(verdict("to  be"), VERDICT_WRONG);
  EXPECT_EQ(verdict(std::string_view("to be\0", 6)), VERDICT_WRONG);
  EXPECT_EQ(verdict(" \n"), VERDICT_FORMAT_ERROR);
}

}  // namespace
}  // namespace cohort
