#include "rewards/turn_queue.h"

#include <thread>

#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "tests/testing/status_matchers.h"

namespace cohort {
namespace {

TEST(TurnQueueTest, ATurnIsTakenUntilItEnds) {
  TurnQueue queue(1, 4);
  absl::Duration retry;
  COHORT_ASSERT_OK(queue.Take(absl::InfiniteFuture(), &retry));
  EXPECT_EQ(queue.busy(), 1);
  EXPECT_THAT(queue.Take(absl::Now() + absl::Milliseconds(10), &retry),
              StatusIs(absl::StatusCode::kDeadlineExceeded, testing::_));
  EXPECT_EQ(queue.waiting(), 0);
  queue.End(absl::Milliseconds(1));
  COHORT_EXPECT_OK(queue.Take(absl::InfiniteFuture(), &retry));
}

TEST(TurnQueueTest, WhoeverFindsTheQueueFullIsToldWhenToComeBack) {
  TurnQueue queue(1, 0);
  absl::Duration retry;
  COHORT_ASSERT_OK(queue.Take(absl::InfiniteFuture(), &retry));
  EXPECT_THAT(queue.Take(absl::InfiniteFuture(), &retry),
              StatusIs(absl::StatusCode::kResourceExhausted, testing::_));
  EXPECT_GT(retry, absl::ZeroDuration());
}

// Refused at once, not when it is too late for another server.
TEST(TurnQueueTest, WhoeverWouldBeServedTooLateIsRefusedAtOnce) {
  TurnQueue queue(1, 100);
  absl::Duration retry;
  COHORT_ASSERT_OK(queue.Take(absl::InfiniteFuture(), &retry));
  for (int i = 0; i < 100; ++i) {  // A turn takes about a minute.
    queue.End(absl::Minutes(1));
    COHORT_ASSERT_OK(queue.Take(absl::InfiniteFuture(), &retry));
  }
  std::jthread waiter([&] {
    absl::Duration unused;
    EXPECT_THAT(queue.Take(absl::InfiniteFuture(), &unused), IsOk());
  });
  while (queue.waiting() == 0) std::this_thread::yield();
  const absl::Time begin = absl::Now();
  EXPECT_THAT(queue.Take(begin + absl::Seconds(30), &retry),
              StatusIs(absl::StatusCode::kResourceExhausted, testing::_));
  EXPECT_LT(absl::Now() - begin, absl::Seconds(20));
  queue.End(absl::ZeroDuration());
}

TEST(TurnQueueTest, APassedDeadlineTakesNoTurn) {
  TurnQueue queue(1, 1);
  absl::Duration retry;
  EXPECT_THAT(queue.Take(absl::InfinitePast(), &retry),
              StatusIs(absl::StatusCode::kDeadlineExceeded, testing::_));
  EXPECT_EQ(queue.busy(), 0);
}

TEST(TurnQueueTest, WhoeverWaitsGetsTheTurnThatEnds) {
  TurnQueue queue(1, 1);
  absl::Duration retry;
  COHORT_ASSERT_OK(queue.Take(absl::InfiniteFuture(), &retry));
  std::jthread waiter([&] {
    absl::Duration unused;
    EXPECT_THAT(queue.Take(absl::InfiniteFuture(), &unused), IsOk());
  });
  while (queue.waiting() == 0) std::this_thread::yield();
  queue.End(absl::ZeroDuration());
  waiter.join();
  EXPECT_EQ(queue.busy(), 1);
}

}  // namespace
}  // namespace cohort
