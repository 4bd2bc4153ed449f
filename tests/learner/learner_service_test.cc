#include "learner/learner_service.h"

#include <cmath>
#include <limits>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "learner/prompt_source.h"
#include "proto/rpc.h"
#include "proto/rpc_server.h"
#include "tests/learner/sample_groups.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temp_dir.h"

namespace cohort {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::shared_ptr<const PublishedWeights> Weights(int64_t version, int shards) {
  auto weights = std::make_shared<PublishedWeights>();
  weights->version = version;
  for (int i = 0; i < shards; ++i) {
    WeightShard& shard = weights->shards.emplace_back();
    shard.set_version(version);
    shard.set_index(i);
    shard.set_count(shards);
  }
  return weights;
}

// The service behind a real server on loopback.
class LearnerServiceTest : public testing::Test {
 protected:
  void SetUp() override {
    auto store = ExperienceStore::Open(dir_ / "experience.sqlite");
    COHORT_ASSERT_OK(store);
    store_ = *std::move(store);
    JoinResponse welcome;
    welcome.set_run_id("run1");
    welcome.set_model_hash("aaaa");
    welcome.set_tokenizer_hash("bbbb");
    welcome.set_rollout_config_yaml("group_size: 2\n");
    service_ = std::make_unique<LearnerService>(
        welcome, &book_, store_.get(), &weights_,
        [this](const absl::Status& status) { failure_ = status; });
    auto server =
        RpcServer::Start("127.0.0.1:0", "cohort.Learner", service_.get());
    COHORT_ASSERT_OK(server);
    server_ = *std::move(server);
    stub_ = Learner::NewStub(MakeChannel(server_->address()));
    weights_.Publish(Weights(0, 1));
  }

  void TearDown() override {
    weights_.Close();
    book_.Finish();
  }

  absl::StatusOr<LeasePromptsResponse> LeaseAs(
      const std::string& worker, int max, int64_t wait_ms = 0,
      const std::string& run = "run1") {
    LeasePromptsRequest request;
    request.set_run_id(run);
    request.set_worker(worker);
    request.set_max_prompts(max);
    request.set_wait_ms(wait_ms);
    LeasePromptsResponse response;
    grpc::ClientContext context;
    const grpc::Status status =
        stub_->LeasePrompts(&context, request, &response);
    if (!status.ok()) return FromGrpcStatus(status);
    return response;
  }

  // Whether somebody had delivered it before.
  absl::StatusOr<bool> Submit(const Group& group,
                              const std::string& run = "run1") {
    SubmitGroupRequest request;
    request.set_run_id(run);
    request.set_worker("w0");
    *request.mutable_group() = group;
    SubmitGroupResponse response;
    grpc::ClientContext context;
    const grpc::Status status =
        stub_->SubmitGroup(&context, request, &response);
    if (!status.ok()) return FromGrpcStatus(status);
    return response.already_stored();
  }

  void Plan(const Lease& lease, int max_staleness = 0) {
    book_.Plan({{.lease = lease,
                 .rewards = {.weights = {.accuracy = 1, .format = 0.5},
                             .config = {},
                             .max_completion_tokens = 0},
                 .max_staleness = max_staleness}});
  }

  TempDir dir_;
  LeaseBook book_{absl::Minutes(10)};
  WeightBoard weights_;
  std::unique_ptr<ExperienceStore> store_;
  absl::Status failure_;
  std::unique_ptr<LearnerService> service_;
  std::unique_ptr<RpcServer> server_;
  std::unique_ptr<Learner::Stub> stub_;
};

TEST_F(LearnerServiceTest, AWorkerIsToldWhatToLoad) {
  JoinRequest request;
  request.set_worker("w0");
  JoinResponse response;
  grpc::ClientContext context;
  ASSERT_TRUE(stub_->Join(&context, request, &response).ok());
  EXPECT_EQ(response.run_id(), "run1");
  EXPECT_EQ(response.rollout_config_yaml(), "group_size: 2\n");
}

TEST_F(LearnerServiceTest, AnotherModelOrTokenizerIsRefusedByHash) {
  for (const bool model : {true, false}) {
    JoinRequest request;
    request.set_worker("w0");
    (model ? *request.mutable_model_hash()
           : *request.mutable_tokenizer_hash()) = "cccc";
    JoinResponse response;
    grpc::ClientContext context;
    EXPECT_THAT(
        FromGrpcStatus(stub_->Join(&context, request, &response)),
        StatusIs(absl::StatusCode::kFailedPrecondition,
                 AllOf(HasSubstr("cccc"), HasSubstr(model ? "aaaa" : "bbbb"),
                       HasSubstr(model ? "model" : "tokenizer"))));
  }
}

TEST_F(LearnerServiceTest, AGroupGoesFromLeaseToTheStoreWithItsReward) {
  const Lease lease = MakeLease("a");
  Plan(lease);
  const auto leased = LeaseAs("w0", 4);
  COHORT_ASSERT_OK(leased);
  ASSERT_THAT(leased->leases(), SizeIs(1));
  EXPECT_EQ(leased->policy_version(), 0);
  const auto rows = store_->List({});
  COHORT_ASSERT_OK(rows);
  EXPECT_EQ(rows->front().state, "leased");

  EXPECT_THAT(Submit(MakeGroup(leased->leases(0))), IsOkAndHolds(false));
  const std::vector<std::string> ids = {IdOf(lease)};
  EXPECT_TRUE(book_.WaitFor(ids, {}));
  const auto groups = store_->Load(ids);
  COHORT_ASSERT_OK(groups);
  EXPECT_EQ(groups->front().trajectories(0).reward(), 1.5);
  EXPECT_EQ(groups->front().trajectories(1).reward(), 0.5);
}

TEST_F(LearnerServiceTest, ResentGroupIsStoredOnce) {
  Plan(MakeLease("a"));
  const Group group = MakeGroup(MakeLease("a"));
  EXPECT_THAT(Submit(group), IsOkAndHolds(false));
  EXPECT_THAT(Submit(group), IsOkAndHolds(true));
  // Also long after: trained on, forgotten by the book, stale by now.
  const std::vector<std::string> ids = {group.id()};
  COHORT_ASSERT_OK(store_->MarkTrained(ids, 1));
  book_.Forget(ids);
  weights_.Publish(Weights(9, 1));
  EXPECT_THAT(Submit(group), IsOkAndHolds(true));
  EXPECT_THAT(store_->List({}), IsOkAndHolds(SizeIs(1)));
}

TEST_F(LearnerServiceTest, AGroupNobodyWaitsForIsRefused) {
  EXPECT_THAT(
      Submit(MakeGroup(MakeLease("a"))),
      StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("rl/a/0")));
}

TEST_F(LearnerServiceTest, AStaleGroupIsRefusedAndSampledAgain) {
  Plan(MakeLease("a"), /*max_staleness=*/1);
  COHORT_ASSERT_OK(LeaseAs("w0", 1));
  weights_.Publish(Weights(2, 1));
  EXPECT_THAT(Submit(MakeGroup(MakeLease("a"), 0)),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       HasSubstr("max_staleness is 1")));
  const auto again = LeaseAs("w0", 1);
  COHORT_ASSERT_OK(again);
  ASSERT_THAT(again->leases(), SizeIs(1));
  EXPECT_EQ(again->leases(0).min_policy_version(), 1);
  EXPECT_THAT(Submit(MakeGroup(again->leases(0), 1)), IsOkAndHolds(false));
}

TEST_F(LearnerServiceTest, AnotherRunsWorkerIsToldToEnd) {
  EXPECT_THAT(LeaseAs("w0", 1, 0, "run0"),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       AllOf(HasSubstr("run0"), HasSubstr("run1"))));
  EXPECT_THAT(
      Submit(MakeGroup(MakeLease("a")), "run0"),
      StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("run0")));
}

TEST_F(LearnerServiceTest, AWaitingWorkerGetsWhatIsPlannedLater) {
  std::jthread trainer([this] { Plan(MakeLease("a")); });
  const auto leased = LeaseAs("w0", 1, 20'000);
  COHORT_ASSERT_OK(leased);
  EXPECT_THAT(leased->leases(), SizeIs(1));
}

TEST_F(LearnerServiceTest, TheEndIsTold) {
  std::jthread trainer([this] { book_.Finish(); });
  auto leased = LeaseAs("w0", 1, 20'000);
  COHORT_ASSERT_OK(leased);
  EXPECT_TRUE(leased->run_finished());
}

// A worker that was killed: its connection is gone, and so are its leases.
TEST_F(LearnerServiceTest, KilledWorkerLosesNoPrompt) {
  Plan(MakeLease("a"));
  Plan(MakeLease("b"));
  StreamWeightsRequest request;
  request.set_run_id("run1");
  request.set_worker("doomed");
  request.set_have_version(-1);
  grpc::ClientContext context;
  auto stream = stub_->StreamWeights(&context, request);
  WeightShard shard;
  ASSERT_TRUE(stream->Read(&shard));
  EXPECT_EQ(service_->connected_workers(), 1);
  const auto leased = LeaseAs("doomed", 2);
  COHORT_ASSERT_OK(leased);
  ASSERT_THAT(leased->leases(), SizeIs(2));
  EXPECT_THAT(Submit(MakeGroup(leased->leases(0))), IsOkAndHolds(false));
  EXPECT_THAT(LeaseAs("other", 2)->leases(), IsEmpty());

  context.TryCancel();
  const auto again = LeaseAs("other", 2, 20'000);
  COHORT_ASSERT_OK(again);
  ASSERT_THAT(again->leases(), SizeIs(1));
  EXPECT_EQ(again->leases(0).prompt().id(), "b");
}

// A worker that was started again under the old name, before anybody noticed
// that the first had died.
TEST_F(LearnerServiceTest, JoiningAnewFreesTheNamesOldLeases) {
  Plan(MakeLease("a"));
  COHORT_ASSERT_OK(LeaseAs("w0", 1));
  JoinRequest request;
  request.set_worker("w0");
  JoinResponse response;
  grpc::ClientContext context;
  ASSERT_TRUE(stub_->Join(&context, request, &response).ok());
  const auto again = LeaseAs("w0", 1);
  COHORT_ASSERT_OK(again);
  EXPECT_THAT(again->leases(), SizeIs(1));
}

// The byte tokenizer's completions may be cut inside a character, and graders
// quote them.
TEST_F(LearnerServiceTest, ACompletionNeedNotBeUtf8) {
  Plan(MakeLease("a"));
  Group group = MakeGroup(MakeLease("a"));
  group.mutable_trajectories(0)->set_text("caf\xc3");
  group.mutable_trajectories(0)->mutable_grade()->set_extracted("\xff");
  ASSERT_THAT(Submit(group), IsOkAndHolds(false));
  const std::vector<std::string> ids = {group.id()};
  const auto groups = store_->Load(ids);
  COHORT_ASSERT_OK(groups);
  EXPECT_EQ(groups->front().trajectories(0).text(), "caf\xc3");
}

TEST_F(LearnerServiceTest, ASlowReaderSkipsVersions) {
  StreamWeightsRequest request;
  request.set_run_id("run1");
  request.set_worker("w0");
  request.set_have_version(0);
  weights_.Publish(Weights(1, 3));
  weights_.Publish(Weights(2, 3));
  grpc::ClientContext context;
  auto stream = stub_->StreamWeights(&context, request);
  std::vector<int> indices;
  WeightShard shard;
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(stream->Read(&shard));
    EXPECT_EQ(shard.version(), 2);
    indices.push_back(shard.index());
  }
  EXPECT_THAT(indices, ElementsAre(0, 1, 2));
  weights_.Publish(Weights(3, 1));
  ASSERT_TRUE(stream->Read(&shard));
  EXPECT_EQ(shard.version(), 3);
  weights_.Close();
  EXPECT_FALSE(stream->Read(&shard));
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(LearnerServiceTest, AStoreThatCannotBeWrittenEndsTheRun) {
  Plan(MakeLease("a"));
  // A table of that name is what the store cannot do without.
  ASSERT_EQ(std::system(absl::StrCat("python3 -c \"import sqlite3;"
                                     "c=sqlite3.connect('",
                                     store_->path(),
                                     "');c.execute('DROP TABLE groups')\"")
                            .c_str()),
            0);
  EXPECT_THAT(Submit(MakeGroup(MakeLease("a"))),
              StatusIs(absl::StatusCode::kInternal, HasSubstr(store_->path())));
  EXPECT_THAT(failure_,
              StatusIs(absl::StatusCode::kInternal, HasSubstr(store_->path())));
}

// Each line breaks one rule of a whole graded group.
TEST(CheckGroupTest, EveryFaultIsNamed) {
  const Lease lease = MakeLease("a");
  struct Case {
    std::function<void(Group*)> spoil;
    std::string named;
  };
  const auto first = [](Group* group) {
    return group->mutable_trajectories(0);
  };
  const std::vector<Case> cases = {
      {[](Group* g) { g->set_id("rl/b/0"); }, "rl/b/0"},
      {[](Group* g) { g->mutable_occurrence()->set_occurrence(1); }, "rl/a/1"},
      {[](Group* g) { g->set_eval(true); }, "eval"},
      {[](Group* g) { g->mutable_prompt()->add_tokens(1); }, "prompt"},
      {[](Group* g) { g->mutable_trajectories()->RemoveLast(); },
       "1 trajectories, group_size is 2"},
      {[&](Group* g) { first(g)->add_tokens(1); }, "4 tokens, but 3"},
      {[&](Group* g) { g->mutable_trajectories(1)->clear_tokens(); },
       "trajectory 1: no tokens"},
      {[&](Group* g) {
         for (int i = 0; i < 6; ++i) first(g)->add_tokens(1);
       },
       "max_completion_tokens is 8"},
      {[&](Group* g) {
         first(g)->set_sampler_logprobs(
             1, std::numeric_limits<float>::quiet_NaN());
       },
       "not finite"},
      {[&](Group* g) { first(g)->clear_versions(); }, "cover 0 of 3"},
      {[&](Group* g) { first(g)->mutable_versions(0)->set_begin(1); },
       "token 0"},
      {[&](Group* g) { first(g)->mutable_versions(0)->set_version(-1); },
       "min_policy_version"},
      {[&](Group* g) { first(g)->clear_finish_reason(); }, "finish_reason"},
      {[&](Group* g) { first(g)->clear_grade(); }, "no grade"},
      {[&](Group* g) { first(g)->mutable_grade()->set_score(1.5); }, "[0, 1]"},
  };
  COHORT_EXPECT_OK(CheckGroup(MakeGroup(lease), lease));
  for (const Case& each : cases) {
    Group group = MakeGroup(lease);
    each.spoil(&group);
    EXPECT_THAT(CheckGroup(group, lease),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         AllOf(HasSubstr("group "), HasSubstr(each.named))));
  }
}

// Eight workers at once, two of which deliver every group twice: each group is
// in the store once, and the trainer sees them all.
TEST_F(LearnerServiceTest, WorkersTogetherDeliverEveryGroupOnce) {
  constexpr int kGroups = 120;
  std::vector<std::string> ids;
  for (int i = 0; i < kGroups; ++i) {
    Plan(MakeLease(absl::StrCat(i)));
    ids.push_back(absl::StrCat("rl/", i, "/0"));
  }
  std::vector<std::jthread> workers;
  for (int w = 0; w < 8; ++w) {
    workers.emplace_back([this, w] {
      while (true) {
        const auto leased = LeaseAs(absl::StrCat("w", w), 3, 5'000);
        if (!leased.ok() || leased->run_finished()) return;
        for (const Lease& lease : leased->leases()) {
          for (int times = w < 2 ? 2 : 1; times > 0; --times) {
            COHORT_EXPECT_OK(Submit(MakeGroup(lease)));
          }
        }
      }
    });
  }
  EXPECT_TRUE(book_.WaitFor(ids, {}, absl::Seconds(50)));
  book_.Finish();
  workers.clear();
  EXPECT_THAT(store_->FindStored(ids), IsOkAndHolds(SizeIs(kGroups)));
  EXPECT_THAT(store_->List({}), IsOkAndHolds(SizeIs(kGroups)));
}

TEST(NewRunIdTest, IsNewEachTime) {
  EXPECT_THAT(NewRunId(), SizeIs(16));
  EXPECT_NE(NewRunId(), NewRunId());
}

}  // namespace
}  // namespace cohort
