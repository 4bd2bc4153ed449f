#include "learner/lease_book.h"

#include <atomic>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "proto/log.h"
#include "tests/learner/sample_groups.h"

namespace cohort {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr absl::Duration kNoWait = absl::ZeroDuration();

std::vector<PlannedGroup> Plans(const std::vector<std::string>& prompt_ids) {
  std::vector<PlannedGroup> plans;
  for (const std::string& id : prompt_ids) {
    plans.push_back({.lease = MakeLease(id), .rewards = {}});
  }
  return plans;
}

std::vector<std::string> PromptIds(const std::vector<Lease>& leases) {
  std::vector<std::string> ids;
  for (const Lease& lease : leases) ids.push_back(lease.prompt().id());
  return ids;
}

class LeaseBookTest : public testing::Test {
 protected:
  absl::Time now_ = absl::UnixEpoch();
  LeaseBook book_{absl::Minutes(10), [this] { return now_; }};
};

TEST_F(LeaseBookTest, GivesPromptsOutInThePlansOrderAndOnce) {
  book_.Plan(Plans({"c", "a", "b"}));
  book_.Plan(Plans({"d"}));
  EXPECT_THAT(PromptIds(book_.LeaseTo("w0", 2, kNoWait)),
              ElementsAre("c", "a"));
  EXPECT_THAT(PromptIds(book_.LeaseTo("w1", 8, kNoWait)),
              ElementsAre("b", "d"));
  EXPECT_THAT(book_.LeaseTo("w1", 8, kNoWait), IsEmpty());
}

TEST_F(LeaseBookTest, AnExpiredLeaseIsGivenAgain) {
  book_.Plan(Plans({"a", "b"}));
  book_.LeaseTo("slow", 1, kNoWait);
  now_ += absl::Minutes(10) - absl::Seconds(1);
  EXPECT_THAT(PromptIds(book_.LeaseTo("w1", 8, kNoWait)), ElementsAre("b"));
  now_ += absl::Seconds(1);
  EXPECT_THAT(PromptIds(book_.LeaseTo("w1", 8, kNoWait)), ElementsAre("a"));
}

TEST_F(LeaseBookTest, ADeadWorkersPromptsGoToOthersFirstOfAll) {
  book_.Plan(Plans({"a", "b", "c", "d"}));
  book_.LeaseTo("dead", 2, kNoWait);
  book_.LeaseTo("alive", 1, kNoWait);
  book_.ReleaseWorker("dead");
  EXPECT_THAT(PromptIds(book_.LeaseTo("alive", 8, kNoWait)),
              ElementsAre("a", "b", "d"));
}

TEST_F(LeaseBookTest, FirstDeliveryCountsWhoeverItIsFrom) {
  book_.Plan(Plans({"a"}));
  book_.LeaseTo("slow", 1, kNoWait);
  now_ += absl::Minutes(11);
  book_.LeaseTo("fast", 1, kNoWait);
  EXPECT_EQ(book_.Deliver("rl/a/0"), Delivery::kFirst);
  EXPECT_EQ(book_.Deliver("rl/a/0"), Delivery::kAgain);
  EXPECT_EQ(book_.Deliver("rl/b/0"), Delivery::kUnknown);
}

// A group that comes after its lease ran out, before another took it.
TEST_F(LeaseBookTest, ADeliveredPromptIsNotGivenAgain) {
  book_.Plan(Plans({"a"}));
  book_.LeaseTo("slow", 1, kNoWait);
  book_.ReleaseWorker("slow");
  EXPECT_EQ(book_.Deliver("rl/a/0"), Delivery::kFirst);
  EXPECT_THAT(book_.LeaseTo("fast", 1, kNoWait), IsEmpty());
}

TEST_F(LeaseBookTest, ARefusedGroupIsSampledAgainByANewerPolicy) {
  book_.Plan(Plans({"a"}));
  book_.LeaseTo("w0", 1, kNoWait);
  book_.GiveBack("rl/a/0", 5);
  const std::vector<Lease> again = book_.LeaseTo("w0", 1, kNoWait);
  ASSERT_THAT(again, SizeIs(1));
  EXPECT_EQ(again[0].min_policy_version(), 5);
  book_.GiveBack("rl/a/0", 2);  // Never older than it was.
  EXPECT_EQ(book_.LeaseTo("w0", 1, kNoWait)[0].min_policy_version(), 5);
}

TEST_F(LeaseBookTest, PlanningTwiceLeasesOnce) {
  book_.Plan(Plans({"a"}));
  book_.LeaseTo("w0", 1, kNoWait);
  book_.Plan(Plans({"a"}));
  EXPECT_THAT(book_.LeaseTo("w1", 1, kNoWait), IsEmpty());
}

TEST_F(LeaseBookTest, ForgottenGroupsAreNobodysConcern) {
  book_.Plan(Plans({"a", "b"}));
  book_.LeaseTo("w0", 1, kNoWait);
  const std::vector<std::string> both = {"rl/a/0", "rl/b/0"};
  book_.Forget(both);
  EXPECT_FALSE(book_.Find("rl/a/0").has_value());
  EXPECT_THAT(book_.LeaseTo("w1", 8, kNoWait), IsEmpty());
  EXPECT_EQ(book_.Deliver("rl/a/0"), Delivery::kUnknown);
}

TEST_F(LeaseBookTest, WaitingEndsWithTheLastDelivery) {
  book_.Plan(Plans({"a", "b"}));
  const std::vector<std::string> both = {"rl/a/0", "rl/b/0"};
  EXPECT_FALSE(book_.WaitFor(both, {}, kNoWait));
  std::jthread worker([this] {
    book_.Deliver("rl/b/0");
    book_.Deliver("rl/a/0");
  });
  EXPECT_TRUE(book_.WaitFor(both, {}));
  EXPECT_EQ(book_.CountDelivered(both), 2);
}

TEST_F(LeaseBookTest, AStopEndsTheWait) {
  book_.Plan(Plans({"a"}));
  const std::vector<std::string> group = {"rl/a/0"};
  std::stop_source source;
  std::jthread stopper([&source] { source.request_stop(); });
  EXPECT_FALSE(book_.WaitFor(group, source.get_token()));
  EXPECT_FALSE(book_.WaitFor(group, source.get_token()));
}

TEST_F(LeaseBookTest, AWaitingWorkerGetsWhatIsPlannedLater) {
  std::jthread trainer([this] { book_.Plan(Plans({"a"})); });
  EXPECT_THAT(book_.LeaseTo("w0", 1, absl::Minutes(1)), SizeIs(1));
}

TEST_F(LeaseBookTest, TheEndLetsWaitingWorkersGo) {
  std::jthread trainer([this] { book_.Finish(); });
  EXPECT_THAT(book_.LeaseTo("w0", 1, absl::Minutes(1)), IsEmpty());
  EXPECT_TRUE(book_.finished());
}

// Eight workers, some of which "die" with their leases; the trainer plans while
// they are at it. Every group is delivered first exactly once.
TEST(LeaseBookLoadTest, ManyWorkersLoseAndDoubleNothing) {
  SetMinLogSeverity(LogSeverity::kError);  // Every release is a line.
  LeaseBook book(absl::Hours(1));
  constexpr int kGroups = 2000;
  std::atomic<int> first_deliveries = 0;
  std::vector<std::jthread> workers;
  for (int w = 0; w < 8; ++w) {
    workers.emplace_back([&book, &first_deliveries, w] {
      const std::string name = absl::StrCat("w", w);
      for (int turn = 0; !book.finished(); ++turn) {
        const auto leases = book.LeaseTo(name, 3, absl::Milliseconds(20));
        if (turn % 5 == w % 5) {
          book.ReleaseWorker(name);
          continue;
        }
        for (const Lease& lease : leases) {
          if (book.Deliver(IdOf(lease)) == Delivery::kFirst) {
            ++first_deliveries;
          }
        }
      }
    });
  }
  std::vector<std::string> ids;
  for (int i = 0; i < kGroups; ++i) {
    book.Plan(Plans({absl::StrCat(i)}));
    ids.push_back(absl::StrCat("rl/", i, "/0"));
  }
  EXPECT_TRUE(book.WaitFor(ids, {}));
  book.Finish();
  workers.clear();
  EXPECT_EQ(first_deliveries, kGroups);
}

}  // namespace
}  // namespace cohort
