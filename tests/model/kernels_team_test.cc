#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "model/kernels/team.h"

namespace cohort {
namespace {

TEST(TeamTest, EveryItemIsDoneOnceBeforeTheCallReturns) {
  for (const int threads : {1, 2, 5}) {
    Team team(threads);
    for (int round = 0; round < 3000; ++round) {
      const int64_t count = round % 9;
      // Plain integers: a thread that still worked would be a race.
      std::vector<int> times(static_cast<size_t>(count));
      team.ForEach(count, [&](int64_t i) { ++times[static_cast<size_t>(i)]; });
      for (const int n : times) ASSERT_EQ(n, 1) << "round " << round;
    }
  }
}

TEST(TeamTest, SharesAreWholeAndOfNeighbours) {
  for (const int threads : {1, 2, 3, 5}) {
    const Team team(threads);
    for (const int64_t count : {1, 2, 7, 12, 100}) {
      int64_t last = 0;
      std::vector<int64_t> sizes(static_cast<size_t>(threads));
      for (int64_t i = 0; i < count; ++i) {
        const int64_t thread = team.ThreadOf(i, count);
        ASSERT_GE(thread, last);
        ASSERT_LT(thread, threads);
        ++sizes[static_cast<size_t>(thread)];
        last = thread;
      }
      for (int64_t t = 0; t < threads; ++t) {
        EXPECT_EQ(sizes[static_cast<size_t>(t)],
                  count * (t + 1) / threads - count * t / threads);
      }
    }
  }
}

// Workers that had fallen asleep wake up for the next call.
TEST(TeamTest, ItemsRunSideBySide) {
  Team team(2);
  for (int round = 0; round < 3; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    std::atomic<int> inside = 0;
    team.ForEach(2, [&](int64_t) {
      ++inside;
      while (inside < 2) std::this_thread::yield();  // Needs the other one.
    });
    EXPECT_EQ(inside, 2);
  }
}

TEST(TeamTest, AnIdleTeamUsesNoCpu) {
  Team team(3);
  team.ForEach(3, [](int64_t) {});
  std::this_thread::sleep_for(std::chrono::milliseconds(5));  // Asleep by now.
  const std::clock_t before = std::clock();
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  const double used =
      static_cast<double>(std::clock() - before) / CLOCKS_PER_SEC;
  EXPECT_LT(used, 0.05);
}

}  // namespace
}  // namespace cohort
