#include "rewards/grade_pool.h"

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "tests/testing/status_matchers.h"

namespace cohort {
namespace {

using testing::HasSubstr;

GradeRequest DyingRequest(const std::string& answer,
                          const std::vector<std::string>& completions) {
  GradeRequest request;
  request.mutable_prompt()->set_id("p1");
  request.mutable_prompt()->set_verifier("dying");
  request.mutable_prompt()->set_answer(answer);
  for (const std::string& text : completions) request.add_completions(text);
  return request;
}

std::vector<Verdict> Verdicts(const GradeResponse& response) {
  std::vector<Verdict> verdicts;
  for (const Grade& grade : response.grades()) {
    verdicts.push_back(grade.verdict());
  }
  return verdicts;
}

class GradePoolTest : public testing::Test {
 protected:
  GradePool pool_{{COHORT_DYING_WORKER}, 2};
  GradeResponse response_;
};

TEST_F(GradePoolTest, GradesComeInTheOrderOfTheCompletions) {
  COHORT_ASSERT_OK(pool_.Grade(DyingRequest("4", {"4", "5", "4"}),
                               absl::InfiniteFuture(), &response_));
  EXPECT_THAT(
      Verdicts(response_),
      testing::ElementsAre(VERDICT_CORRECT, VERDICT_WRONG, VERDICT_CORRECT));
  EXPECT_EQ(pool_.deaths(), 0);
}

TEST_F(GradePoolTest, ACompletionThatKillsItsWorkerIsUndecidedAndNoOtherIs) {
  COHORT_ASSERT_OK(
      pool_.Grade(DyingRequest("4", {"4", "abort", "5", "abort", "4"}),
                  absl::InfiniteFuture(), &response_));
  EXPECT_THAT(
      Verdicts(response_),
      testing::ElementsAre(VERDICT_CORRECT, VERDICT_UNDECIDED, VERDICT_WRONG,
                           VERDICT_UNDECIDED, VERDICT_CORRECT));
  EXPECT_EQ(response_.grades(1).reason(), "resource");
  // Each was tried once more.
  EXPECT_EQ(pool_.deaths(), 4);
}

TEST_F(GradePoolTest, EndlessWorkEndsByCpuTime) {
  COHORT_ASSERT_OK(pool_.Grade(DyingRequest("4", {"loop", "4"}),
                               absl::InfiniteFuture(), &response_));
  EXPECT_THAT(Verdicts(response_),
              testing::ElementsAre(VERDICT_UNDECIDED, VERDICT_CORRECT));
}

#if !defined(__SANITIZE_ADDRESS__)
TEST_F(GradePoolTest, MemoryEndsAtTheLimit) {
  COHORT_ASSERT_OK(pool_.Grade(DyingRequest("4", {"memory", "4"}),
                               absl::InfiniteFuture(), &response_));
  EXPECT_THAT(Verdicts(response_),
              testing::ElementsAre(VERDICT_UNDECIDED, VERDICT_CORRECT));
}
#endif

TEST_F(GradePoolTest, APromptThatKillsWorkersIsRefusedByItsId) {
  EXPECT_THAT(pool_.Grade(DyingRequest("abort", {}), absl::InfiniteFuture(),
                          &response_),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("prompt p1: verifier dying")));
}

TEST_F(GradePoolTest, AWorkersErrorsAreHandedOn) {
  EXPECT_THAT(
      pool_.Grade(DyingRequest("", {"4"}), absl::InfiniteFuture(), &response_),
      StatusIs(absl::StatusCode::kInvalidArgument,
               "prompt p1: verifier dying: no answer"));
  EXPECT_EQ(pool_.deaths(), 0);
}

// Its late grades are not taken for the next call's.
TEST_F(GradePoolTest, ADeadlineEndsTheWorkAndTheNextCallIsItsOwn) {
  EXPECT_THAT(pool_.Grade(DyingRequest("4", {"loop"}),
                          absl::Now() + absl::Milliseconds(50), &response_),
              StatusIs(absl::StatusCode::kDeadlineExceeded, testing::_));
  response_.Clear();
  COHORT_ASSERT_OK(pool_.Grade(DyingRequest("4", {"5"}), absl::InfiniteFuture(),
                               &response_));
  EXPECT_THAT(Verdicts(response_), testing::ElementsAre(VERDICT_WRONG));
}

// Under load calls are late by little. Their grades are read and thrown away.
TEST_F(GradePoolTest, AWorkerThatIsLateByLittleIsKept) {
  GradePool pool({COHORT_DYING_WORKER}, 1);
  for (int i = 0; i < 3; ++i) {
    response_.Clear();
    EXPECT_THAT(pool.Grade(DyingRequest("4", {"count", "nap", "4"}),
                           absl::Now() + absl::Milliseconds(30), &response_),
                StatusIs(absl::StatusCode::kDeadlineExceeded, testing::_));
  }
  response_.Clear();
  COHORT_ASSERT_OK(pool.Grade(DyingRequest("4", {"count", "4", "5"}),
                              absl::InfiniteFuture(), &response_));
  EXPECT_THAT(
      Verdicts(response_),
      testing::ElementsAre(VERDICT_WRONG, VERDICT_CORRECT, VERDICT_WRONG));
  // How many it was asked for before: it is the first worker still.
  EXPECT_EQ(response_.grades(0).reason(), "3");
}

TEST_F(GradePoolTest, ALongBatchEndsWhenItsCallerIsGone) {
  std::vector<std::string> naps(1000, "nap");
  std::atomic<int> asked = 0;
  const absl::Time begin = absl::Now();
  EXPECT_THAT(pool_.Grade(DyingRequest("4", naps), absl::InfiniteFuture(),
                          &response_, [&] { return ++asked > 2; }),
              StatusIs(absl::StatusCode::kCancelled, testing::_));
  EXPECT_LT(absl::Now() - begin, absl::Seconds(20));
  response_.Clear();
  COHORT_ASSERT_OK(pool_.Grade(DyingRequest("4", {"4"}), absl::InfiniteFuture(),
                               &response_));
  EXPECT_THAT(Verdicts(response_), testing::ElementsAre(VERDICT_CORRECT));
}

TEST_F(GradePoolTest, ManyCallsAtOnceGetTheirOwnGrades) {
  std::atomic<int> right = 0;
  {
    std::vector<std::jthread> callers;
    for (int i = 0; i < 16; ++i) {
      callers.emplace_back([&, i] {
        GradeResponse response;
        const std::string answer = absl::StrCat(i);
        if (pool_
                .Grade(DyingRequest(answer, {answer, "abort"}),
                       absl::InfiniteFuture(), &response)
                .ok() &&
            response.grades_size() == 2 &&
            response.grades(0).extracted() == answer) {
          ++right;
        }
      });
    }
  }
  EXPECT_EQ(right, 16);
}

TEST(GradePoolStartTest, AMissingProgramIsNamed) {
  GradePool pool({"/no/such/worker"}, 1);
  GradeResponse response;
  EXPECT_THAT(
      pool.Grade(DyingRequest("4", {"4"}), absl::InfiniteFuture(), &response),
      StatusIs(absl::StatusCode::kUnavailable, HasSubstr("/no/such/worker")));
}

}  // namespace
}  // namespace cohort
