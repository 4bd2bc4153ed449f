#include "rollout/worker.h"

#include <memory>
#include <string>
#include <thread>

#include "gmock/gmock.h"
#include "tests/rollout/fake_learner.h"
#include "tests/testing/scripted_engine.h"
#include "tests/testing/status_matchers.h"

namespace cohort {
namespace {

using testing::HasSubstr;

// One worker between a fake learner and a fake reward server.
class WorkerTest : public testing::Test {
 protected:
  WorkerTest() {
    settings_.name = "w0";
    settings_.run_id = "run";
    settings_.lease_prompts = 2;
    settings_.group_size = 3;
    settings_.max_sequences = 9;
    settings_.lease_wait = absl::Milliseconds(20);
  }

  void TearDown() override {
    Stop().IgnoreError();
    learner_.EndStreams(true);
  }

  void Start() {
    worker_ =
        std::make_unique<Worker>(settings_, learner_stub_.get(),
                                 rewards_stub_.get(), &engine_, &weights_);
    thread_ = std::jthread(
        [this](std::stop_token stop) { result_ = worker_->Run(stop); });
  }

  // Ends the worker from outside and returns how it ended.
  absl::Status Stop() {
    thread_.request_stop();
    return Join();
  }

  absl::Status Join() {
    if (thread_.joinable()) thread_.join();
    return result_;
  }

  WorkerSettings settings_;
  FakeLearner learner_;
  FakeRewards rewards_;
  TestServer learner_server_{&learner_};
  TestServer rewards_server_{&rewards_};
  std::unique_ptr<Learner::Stub> learner_stub_ =
      Learner::NewStub(MakeChannel(learner_server_.address()));
  std::unique_ptr<Rewards::Stub> rewards_stub_ =
      Rewards::NewStub(MakeChannel(rewards_server_.address()));
  WeightReceiver weights_{learner_stub_.get(), "run", "w0", OneTensor()};
  ScriptedEngine engine_{&weights_, [](const Lease& lease, int member) {
                           return lease.prompt().id() +
                                  std::string(member, '!');
                         }};
  std::unique_ptr<Worker> worker_;
  std::jthread thread_;
  absl::Status result_;
};

TEST_F(WorkerTest, EveryLeasedPromptComesHomeGraded) {
  learner_.Publish(5);
  for (int i = 0; i < 20; ++i) learner_.AddLease(absl::StrCat("p", i), 3);
  Start();
  ASSERT_TRUE(learner_.WaitForGroups(20));
  learner_.Finish();
  COHORT_EXPECT_OK(Join());

  const Group group = learner_.groups().at("rl/p7/0");
  ASSERT_EQ(group.trajectories_size(), 3);
  EXPECT_EQ(group.worker(), "w0");
  EXPECT_GT(group.grade_s(), 0);
  EXPECT_EQ(group.trajectories(2).text(), "p7!!");
  EXPECT_EQ(group.trajectories(2).grade().score(), 4);
  EXPECT_EQ(group.trajectories(2).versions(0).version(), 5);
  EXPECT_LE(learner_.most_asked(), 2);
}

TEST_F(WorkerTest, ALostReplyMakesItSubmitAgain) {
  learner_.Publish(0);
  learner_.LoseReplies(1);
  learner_.AddLease("p", 3);
  Start();
  EXPECT_TRUE(learner_.WaitForSubmits("rl/p/0", 2));
  COHORT_EXPECT_OK(Stop());
  EXPECT_EQ(learner_.groups().size(), 1u);
}

TEST_F(WorkerTest, AStaleGroupIsDroppedAndTheWorkerGoesOn) {
  learner_.Publish(0);
  learner_.CallStale("rl/old/0");
  learner_.AddLease("old", 3);
  Start();
  EXPECT_TRUE(learner_.WaitForSubmits("rl/old/0", 1));
  learner_.AddLease("new", 3);
  EXPECT_TRUE(learner_.WaitForGroups(1));
  COHORT_EXPECT_OK(Stop());
  EXPECT_EQ(learner_.submits("rl/old/0"), 1);
}

TEST_F(WorkerTest, ARestartedLearnerIsServedOn) {
  learner_.Publish(0);
  learner_.AddLease("before", 3);
  Start();
  ASSERT_TRUE(learner_.WaitForGroups(1));
  learner_.EndStreams(true);
  learner_server_.Stop();
  learner_.EndStreams(false);
  learner_.AddLease("after", 3);
  learner_server_.Start();
  EXPECT_TRUE(learner_.WaitForGroups(2));
  COHORT_EXPECT_OK(Stop());
}

TEST_F(WorkerTest, APromptWaitsForTheWeightsItsLeaseAsksFor) {
  learner_.Publish(0);
  learner_.AddLease("now", 3);
  learner_.AddLease("later", 3, /*min_policy_version=*/1);
  Start();
  ASSERT_TRUE(learner_.WaitForGroups(1));
  EXPECT_EQ(learner_.groups().count("rl/later/0"), 0u);
  learner_.Publish(1);
  ASSERT_TRUE(learner_.WaitForGroups(2));
  COHORT_EXPECT_OK(Stop());
  EXPECT_EQ(
      learner_.groups().at("rl/later/0").trajectories(0).versions(0).version(),
      1);
}

TEST_F(WorkerTest, ARestartedRewardServerGradesWhatIsLeft) {
  learner_.Publish(0);
  rewards_server_.Stop();
  learner_.AddLease("p", 3);
  Start();
  rewards_server_.Start();
  EXPECT_TRUE(learner_.WaitForGroups(1));
  COHORT_EXPECT_OK(Stop());
  EXPECT_EQ(learner_.groups().at("rl/p/0").trajectories(0).grade().verdict(),
            VERDICT_CORRECT);
}

TEST_F(WorkerTest, ACallBrokenOffByAServerGoingDownIsRepeated) {
  learner_.Publish(0);
  rewards_.FailNext({grpc::StatusCode::CANCELLED, "shutting down"});
  learner_.AddLease("p", 3);
  Start();
  EXPECT_TRUE(learner_.WaitForGroups(1));
  COHORT_EXPECT_OK(Stop());
  EXPECT_EQ(rewards_.calls(), 2);
}

// The group still goes home, so that the learner does not wait for it; without
// grades its trajectories leave it there.
TEST_F(WorkerTest, AnUngradablePromptGoesHomeWithTheReason) {
  learner_.Publish(0);
  rewards_.FailNext({grpc::StatusCode::NOT_FOUND, "no verifier 'sums'"});
  learner_.AddLease("p", 3);
  Start();
  ASSERT_TRUE(learner_.WaitForGroups(1));
  COHORT_EXPECT_OK(Stop());
  const Group group = learner_.groups().at("rl/p/0");
  for (const Trajectory& trajectory : group.trajectories()) {
    EXPECT_EQ(trajectory.grade().verdict(), VERDICT_GRADER_ERROR);
    EXPECT_EQ(trajectory.grade().reason(), "no verifier 'sums'");
  }
}

TEST_F(WorkerTest, EndsWhenTheLearnerStaysAway) {
  learner_.Publish(0);
  settings_.patience = absl::Milliseconds(200);
  learner_server_.Stop();
  Start();
  EXPECT_THAT(Join(), StatusIs(absl::StatusCode::kUnavailable,
                               HasSubstr("learner gone for 200ms")));
}

TEST_F(WorkerTest, EndsWhenTheRewardServerStaysAway) {
  learner_.Publish(0);
  settings_.grade_timeout = absl::Milliseconds(500);
  rewards_server_.Stop();
  learner_.AddLease("p", 3);
  Start();
  EXPECT_THAT(Join(), StatusIs(absl::StatusCode::kUnavailable,
                               HasSubstr("reward server gone for 500ms")));
}

TEST_F(WorkerTest, AnotherRunEndsIt) {
  learner_.RefuseLeases(
      {grpc::StatusCode::FAILED_PRECONDITION, "run is other"});
  Start();
  EXPECT_THAT(Join(), StatusIs(absl::StatusCode::kFailedPrecondition,
                               HasSubstr("run is other")));
}

TEST_F(WorkerTest, IsStoppedWhileItWaits) {
  Start();
  COHORT_EXPECT_OK(Stop());
}

}  // namespace
}  // namespace cohort
