#include "rollout/model_engine.h"

#include <ATen/Parallel.h>
#include <torch/types.h>

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "model/logprob.h"
#include "tests/rollout/fake_learner.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/tiny_model.h"

namespace cohort {
namespace {

using testing::HasSubstr;

Lease MakeLease(const std::string& id, int prompt_tokens, int group_size,
                int max_completion_tokens) {
  Lease lease;
  lease.mutable_prompt()->set_id(id);
  std::mt19937 generator(static_cast<unsigned>(std::hash<std::string>()(id)));
  for (int i = 0; i < prompt_tokens; ++i) {
    lease.mutable_prompt()->add_tokens(static_cast<int>(generator() % 37));
  }
  lease.mutable_occurrence()->set_stage("rl");
  lease.mutable_occurrence()->set_prompt_id(id);
  Sampling* const sampling = lease.mutable_sampling();
  sampling->set_group_size(group_size);
  sampling->set_temperature(1);
  sampling->set_top_p(1);
  sampling->set_max_completion_tokens(max_completion_tokens);
  sampling->add_end_tokens(1);
  sampling->set_seed(5);
  return lease;
}

// What may not differ: all but the time it took.
std::string Fingerprint(Group group) {
  group.clear_sample_s();
  return group.SerializeAsString();
}

std::map<std::string, Group> RunAll(Engine* engine,
                                    const std::vector<Lease>& leases) {
  for (const Lease& lease : leases) COHORT_EXPECT_OK(engine->Add(lease));
  std::map<std::string, Group> groups;
  for (int step = 0; engine->Pending() > 0 && step < 10000; ++step) {
    auto finished = engine->Step();
    EXPECT_THAT(finished, IsOk());
    if (!finished.ok()) break;
    for (Group& group : *finished) groups[group.id()] = std::move(group);
  }
  EXPECT_EQ(groups.size(), leases.size());
  return groups;
}

class ModelEngineTest : public testing::Test {
 protected:
  std::unique_ptr<ModelEngine> MakeEngine(
      const ModelEngineSettings& settings = {.block_tokens = 4}) {
    auto engine =
        ModelEngine::Create(settings, model_.get(), tokenizer_.get(), nullptr);
    EXPECT_THAT(engine, IsOk());
    return *std::move(engine);
  }

  Group RunOne(const Lease& lease) {
    return RunAll(MakeEngine().get(), {lease}).begin()->second;
  }

  std::unique_ptr<Transformer> model_ = MakeTinyModel();
  std::unique_ptr<Tokenizer> tokenizer_ = Tokenizer::Bytes();
};

TEST_F(ModelEngineTest, ACompletionDependsOnNothingButItself) {
  const Lease lease = MakeLease("p", 11, 4, 40);
  std::vector<Lease> many = {lease};
  for (int i = 0; i < 16; ++i) {
    many.push_back(
        MakeLease(absl::StrCat("other", i), 1 + i, 1 + i % 4, 10 + 5 * i));
  }
  const std::string alone = Fingerprint(RunOne(lease));
  const auto check = [&](const ModelEngineSettings& settings,
                         const std::vector<Lease>& leases) {
    const std::unique_ptr<ModelEngine> engine = MakeEngine(settings);
    EXPECT_EQ(Fingerprint(RunAll(engine.get(), leases).at("rl/p/0")), alone);
    const BlockManager& blocks = engine->scheduler().blocks();
    EXPECT_EQ(blocks.free_blocks(), blocks.total_blocks());
  };
  const ModelEngineSettings normal = {.block_tokens = 4};
  check(normal, many);
  std::vector<Lease> backwards(many.rbegin(), many.rend());
  check(normal, backwards);
  // A cache of one full sequence: nearly everybody waits.
  check({.block_tokens = 4, .cache_bytes = 1}, many);
  check({.block_tokens = 16}, many);
  check({.max_sequences = 3, .block_tokens = 4}, many);
  check({.block_tokens = 4, .prefill_tokens = 1}, many);
  at::set_num_threads(2);
  check(normal, many);
  at::set_num_threads(1);
}

TEST_F(ModelEngineTest, APromptThatComesBackIsSampledAnew) {
  Lease lease = MakeLease("p", 5, 2, 30);
  lease.mutable_sampling()->set_ignore_end(true);
  const Group first = RunOne(lease);
  lease.mutable_occurrence()->set_occurrence(1);
  const Group second = RunOne(lease);
  EXPECT_EQ(second.id(), "rl/p/1");
  EXPECT_NE(first.trajectories(0).SerializeAsString(),
            second.trajectories(0).SerializeAsString());
  EXPECT_NE(first.trajectories(0).SerializeAsString(),
            first.trajectories(1).SerializeAsString());
}

TEST_F(ModelEngineTest, APromptIsPrefilledOnceForItsGroup) {
  const std::unique_ptr<ModelEngine> engine = MakeEngine();
  RunAll(engine.get(), {MakeLease("p", 9, 8, 12)});
  EXPECT_EQ(engine->stats().prefilled_tokens, 9);
}

// What the learner computes from the finished sequence, packed and uncached.
TEST_F(ModelEngineTest, LogprobsAndRoutesAreThoseOfThePackedForward) {
  Lease lease = MakeLease("p", 13, 3, 60);
  lease.mutable_sampling()->set_temperature(0.7);
  lease.mutable_sampling()->set_ignore_end(true);
  const Group group = RunOne(lease);
  const int64_t prompt = group.prompt().tokens_size();
  for (const Trajectory& trajectory : group.trajectories()) {
    std::vector<int32_t> tokens(group.prompt().tokens().begin(),
                                group.prompt().tokens().end());
    tokens.insert(tokens.end(), trajectory.tokens().begin(),
                  trajectory.tokens().end());
    const auto n = static_cast<int64_t>(tokens.size());
    const at::NoGradGuard no_grad;
    const ForwardResult forward =
        model_->Forward(PackSequences({tokens}, at::kCPU));
    const at::Tensor targets = at::tensor(std::vector<int64_t>(
        trajectory.tokens().begin(), trajectory.tokens().end()));
    const at::Tensor expected =
        LogprobsOfTokens(forward.hidden.narrow(0, prompt - 1, n - prompt),
                         model_->Head(), targets, 0.7)
            .logprobs;
    const at::Tensor sampled =
        at::tensor(std::vector<float>(trajectory.sampler_logprobs().begin(),
                                      trajectory.sampler_logprobs().end()));
    EXPECT_LT((expected - sampled).abs().max().item<float>(), 5e-5f);

    // [N - 1, layers, K], as bytes.
    const at::Tensor routes =
        at::stack(forward.routes, 1).narrow(0, 0, n - 1).to(at::kByte);
    const std::string bytes(
        routes.contiguous().const_data_ptr<uint8_t>(),
        routes.contiguous().const_data_ptr<uint8_t>() + routes.numel());
    EXPECT_EQ(group.prompt_routes() + trajectory.routes(), bytes);
  }
}

TEST_F(ModelEngineTest, GreedyMembersAreEqual) {
  Lease lease = MakeLease("p", 6, 2, 20);
  lease.mutable_sampling()->set_temperature(0);
  const Group group = RunOne(lease);
  EXPECT_EQ(group.trajectories(0).SerializeAsString(),
            group.trajectories(1).SerializeAsString());
}

TEST_F(ModelEngineTest, TheEndTokenEndsACompletionAndIsKept) {
  Lease lease = MakeLease("p", 6, 1, 50);
  lease.mutable_sampling()->set_ignore_end(true);
  const Trajectory whole = RunOne(lease).trajectories(0);
  EXPECT_EQ(whole.tokens_size(), 50);
  EXPECT_EQ(whole.finish_reason(), FINISH_REASON_LENGTH);

  const int32_t end = whole.tokens(20);
  lease.mutable_sampling()->set_ignore_end(false);
  lease.mutable_sampling()->set_end_tokens(0, end);
  const Trajectory ended = RunOne(lease).trajectories(0);
  const auto first =
      std::find(whole.tokens().begin(), whole.tokens().end(), end);
  ASSERT_EQ(ended.tokens_size(), first - whole.tokens().begin() + 1);
  EXPECT_TRUE(std::equal(ended.tokens().begin(), ended.tokens().end(),
                         whole.tokens().begin()));
  EXPECT_EQ(ended.finish_reason(), FINISH_REASON_STOP);
  EXPECT_EQ(ended.text().size(), ended.tokens().size() - 1);
}

TEST_F(ModelEngineTest, AStopTextEndsACompletionAndIsCutOff) {
  Lease lease = MakeLease("p", 6, 1, 50);
  lease.mutable_sampling()->set_ignore_end(true);
  const Trajectory whole = RunOne(lease).trajectories(0);
  const std::string stop = whole.text().substr(30, 3);
  *lease.mutable_sampling()->add_stop() = stop;
  const Trajectory stopped = RunOne(lease).trajectories(0);
  const size_t begin = whole.text().find(stop);
  EXPECT_EQ(stopped.text(), whole.text().substr(0, begin));
  EXPECT_EQ(stopped.tokens_size(), static_cast<int>(begin) + 3);
  EXPECT_EQ(stopped.finish_reason(), FINISH_REASON_STOP);
}

TEST_F(ModelEngineTest, TheModelsPositionsLimitTheLength) {
  Lease lease = MakeLease("p", 120, 2, 1000);
  lease.mutable_sampling()->set_ignore_end(true);
  const Group group = RunOne(lease);
  EXPECT_EQ(group.trajectories(0).tokens_size(), 8);
  EXPECT_EQ(group.trajectories(0).finish_reason(), FINISH_REASON_LENGTH);
}

TEST_F(ModelEngineTest, LeasesThatCannotBeSampledAreRefusedById) {
  const std::unique_ptr<ModelEngine> engine = MakeEngine();
  const auto add = [&](auto change) {
    Lease lease = MakeLease("p7", 5, 1, 5);
    change(&lease);
    return engine->Add(lease);
  };
  const auto refused = [](const std::string& why) {
    return StatusIs(absl::StatusCode::kInvalidArgument,
                    testing::AllOf(HasSubstr("prompt p7"), HasSubstr(why)));
  };
  EXPECT_THAT(add([](Lease* l) { l->mutable_prompt()->clear_tokens(); }),
              refused("no tokens"));
  EXPECT_THAT(add([](Lease* l) { l->mutable_prompt()->add_tokens(37); }),
              refused("token 37"));
  EXPECT_THAT(add([](Lease* l) { *l = MakeLease("p7", 128, 1, 5); }),
              refused("128 positions"));
  EXPECT_THAT(add([](Lease* l) { l->mutable_sampling()->set_temperature(-1); }),
              refused("temperature"));
  EXPECT_THAT(add([](Lease* l) { l->mutable_sampling()->add_stop(""); }),
              refused("stop"));
  EXPECT_THAT(add([](Lease* l) { l->mutable_sampling()->set_group_size(0); }),
              refused("group_size"));
  EXPECT_EQ(engine->Pending(), 0);
}

TEST_F(ModelEngineTest, WeightsThatAreNotFiniteAreReportedWithThePrompt) {
  {
    const at::NoGradGuard no_grad;
    model_->HfTensors().front().tensor.fill_(
        std::numeric_limits<float>::quiet_NaN());
    model_->WeightsChanged();
  }
  const std::unique_ptr<ModelEngine> engine = MakeEngine();
  COHORT_ASSERT_OK(engine->Add(MakeLease("p", 4, 1, 4)));
  EXPECT_THAT(engine->Step(),
              StatusIs(absl::StatusCode::kInternal, HasSubstr("prompt p")));
}

std::vector<WeightShard> ShardsOf(const Transformer& model, int64_t version) {
  std::string bytes;
  for (const NamedTensor& named : model.HfTensors()) {
    const at::Tensor tensor = named.tensor.contiguous();
    bytes.append(static_cast<const char*>(tensor.const_data_ptr()),
                 tensor.nbytes());
  }
  return MakeShards(version, bytes, 10000, WeightLayout(model));
}

// The learner publishes while a completion is under way: what was sampled
// stays, what follows is the new policy's over the old cache.
TEST_F(ModelEngineTest, NewWeightsAreTakenBetweenTwoTokens) {
  FakeLearner learner;
  TestServer server(&learner);
  const auto stub = Learner::NewStub(MakeChannel(server.address()));
  WeightReceiver receiver(stub.get(), "run", "w0", WeightLayout(*model_));
  std::jthread thread([&](std::stop_token stop) { receiver.Run(stop); });
  auto engine = ModelEngine::Create({}, model_.get(), nullptr, &receiver);
  COHORT_ASSERT_OK(engine);
  EXPECT_EQ((*engine)->PolicyVersion(), -1);
  const auto take = [&](int64_t version, uint64_t seed) {
    learner.Publish(version, ShardsOf(*MakeTinyModel(seed), version));
    receiver.WaitForNew(absl::Seconds(30));
    COHORT_EXPECT_OK((*engine)->ApplyNewWeights());
    EXPECT_EQ((*engine)->PolicyVersion(), version);
  };

  Lease lease = MakeLease("p", 6, 1, 20);
  lease.mutable_sampling()->set_ignore_end(true);
  take(6, /*seed=*/1);
  COHORT_ASSERT_OK((*engine)->Add(lease));
  for (int i = 0; i < 5; ++i) COHORT_ASSERT_OK((*engine)->Step());
  take(7, /*seed=*/2);
  std::vector<Group> finished;
  while (finished.empty()) {
    auto step = (*engine)->Step();
    COHORT_ASSERT_OK(step);
    finished = *std::move(step);
  }
  const Trajectory mixed = finished[0].trajectories(0);
  ASSERT_EQ(mixed.versions_size(), 2);
  EXPECT_EQ(mixed.versions(0).version(), 6);
  EXPECT_EQ(mixed.versions(0).end(), 5);
  EXPECT_EQ(mixed.versions(1).version(), 7);
  EXPECT_EQ(mixed.versions(1).begin(), 5);
  EXPECT_EQ(mixed.versions(1).end(), 20);

  // A new prompt is sampled as if the weights had been there from the start.
  const Group later = RunAll(engine->get(), {lease}).at("rl/p/0");
  learner.EndStreams(true);
  thread = std::jthread();
  const std::unique_ptr<Transformer> old = MakeTinyModel(1);
  const std::unique_ptr<Transformer> fresh = MakeTinyModel(2);
  const auto tokens_under = [&](Transformer* model) {
    auto other = ModelEngine::Create({}, model, nullptr, nullptr);
    const Group group = RunAll(other->get(), {lease}).at("rl/p/0");
    return std::vector<int32_t>(group.trajectories(0).tokens().begin(),
                                group.trajectories(0).tokens().end());
  };
  EXPECT_EQ(tokens_under(fresh.get()),
            std::vector<int32_t>(later.trajectories(0).tokens().begin(),
                                 later.trajectories(0).tokens().end()));
  const std::vector<int32_t> before = tokens_under(old.get());
  EXPECT_TRUE(
      std::equal(before.begin(), before.begin() + 5, mixed.tokens().begin()));
}

}  // namespace
}  // namespace cohort
