// The engine with and without guesses: whatever the head says, the completions
// are the same, bit for bit.
#include <ATen/Parallel.h>
#include <torch/types.h>

#include <array>
#include <limits>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "model/mtp.h"
#include "rollout/model_engine.h"
#include "tests/rollout/fake_learner.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/tiny_families.h"

namespace cohort {
namespace {

using testing::HasSubstr;

// The smaller `sharpness`, the flatter are the distributions of the next token:
// those of model and head then give the same token for one random number more
// and more often.
std::unique_ptr<Transformer> MakeAhead(double sharpness, uint64_t seed = 1,
                                       const char* family = "deepseek_v3") {
  ModelConfig config = TinyFamilyConfig(family);
  config.num_nextn_predict_layers = 1;
  config.tie_word_embeddings = false;
  std::unique_ptr<Transformer> model = MakeModel(config, seed);
  const at::NoGradGuard no_grad;
  model->Head().detach().mul_(sharpness);
  model->WeightsChanged();
  return model;
}

Lease MakeLease(const std::string& id, int prompt_tokens, int group_size,
                int max_completion_tokens) {
  Lease lease;
  lease.mutable_prompt()->set_id(id);
  std::mt19937 generator(static_cast<unsigned>(prompt_tokens * 131 + 7));
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
  sampling->set_ignore_end(true);
  return lease;
}

// Leases of all shapes, under all that decides what a completion is.
std::vector<Lease> RandomLeases(uint32_t seed) {
  std::mt19937 bits(seed);
  const auto pick = [&](auto... choices) {
    const std::array all = {choices...};
    return all[bits() % all.size()];
  };
  std::vector<Lease> leases;
  for (int i = 0; i < 9; ++i) {
    Lease& lease = leases.emplace_back(
        MakeLease(absl::StrCat("p", i), pick(1, 2, 4, 7, 8, 16, 23),
                  pick(1, 1, 2, 5), pick(1, 2, 3, 17, 40)));
    Sampling* const sampling = lease.mutable_sampling();
    sampling->set_seed(seed);
    sampling->set_temperature(pick(0.0, 0.6, 1.0, 1.0, 1.5));
    sampling->set_top_p(pick(1.0, 1.0, 1.0, 0.9, 0.5));
    sampling->set_top_k(pick(0, 0, 0, 0, 3, 20));
    sampling->set_ignore_end(pick(true, true, false));
    sampling->add_end_tokens(static_cast<int32_t>(bits() % 37));
    sampling->add_end_tokens(static_cast<int32_t>(bits() % 37));
    // Of the byte tokens 0 to 36, as they come.
    if (pick(true, false, false)) {
      for (int pair = 0; pair < 20; ++pair) {
        sampling->add_stop(std::string(1, static_cast<char>(bits() % 37)) +
                           static_cast<char>(bits() % 37));
      }
    }
  }
  return leases;
}

struct Outcome {
  std::map<std::string, Group> groups;
  EngineStats stats;
};

Outcome RunAll(const ModelEngineSettings& settings, Transformer* model,
               const std::vector<Lease>& leases) {
  const std::unique_ptr<Tokenizer> tokenizer = Tokenizer::Bytes();
  auto created = ModelEngine::Create(settings, model, tokenizer.get(), nullptr);
  COHORT_EXPECT_OK(created);
  ModelEngine& engine = **created;
  for (const Lease& lease : leases) COHORT_EXPECT_OK(engine.Add(lease));
  Outcome run;
  for (int step = 0; engine.Pending() > 0 && step < 10000; ++step) {
    auto finished = engine.Step();
    COHORT_EXPECT_OK(finished);
    if (!finished.ok()) break;
    for (Group& group : *finished) run.groups[group.id()] = std::move(group);
  }
  EXPECT_EQ(run.groups.size(), leases.size());
  const BlockManager& blocks = engine.scheduler().blocks();
  EXPECT_EQ(blocks.free_blocks(), blocks.total_blocks());
  run.stats = engine.stats();
  return run;
}

// All of a group that may not differ.
std::string Fingerprint(Group group) {
  group.clear_sample_s();
  group.clear_drafted_tokens();
  group.clear_accepted_tokens();
  return group.SerializeAsString();
}

void ExpectSameGroups(const Outcome& a, const Outcome& b,
                      const std::string& what) {
  ASSERT_EQ(a.groups.size(), b.groups.size()) << what;
  for (const auto& [id, group] : a.groups) {
    EXPECT_EQ(Fingerprint(group), Fingerprint(b.groups.at(id)))
        << what << ", group " << id;
  }
}

TEST(SpeculationTest, CompletionsAreThoseWithoutIt) {
  int64_t drafted = 0;
  int64_t accepted = 0;
  for (uint32_t seed = 0; seed < 12; ++seed) {
    const auto model = MakeAhead(seed % 3 == 0 ? 0.5 : 0.1, seed);
    const std::vector<Lease> leases = RandomLeases(seed);
    const Outcome plain = RunAll({.block_tokens = 4}, model.get(), leases);
    const auto check = [&](ModelEngineSettings settings, int threads) {
      settings.speculative = true;
      at::set_num_threads(threads);
      const Outcome run = RunAll(settings, model.get(), leases);
      at::set_num_threads(1);
      ExpectSameGroups(plain, run, absl::StrCat("seed ", seed));
      EXPECT_EQ(run.stats.sampled_tokens, plain.stats.sampled_tokens);
      EXPECT_LE(run.stats.accepted_tokens, run.stats.drafted_tokens);
      drafted += run.stats.drafted_tokens;
      accepted += run.stats.accepted_tokens;
    };
    check({.block_tokens = 4}, 1);
    check({.block_tokens = 4}, 3);
    check({.block_tokens = 1}, 1);
    check({.block_tokens = 16}, 2);
    check({.max_sequences = 3, .block_tokens = 4}, 1);
    // A cache of one full sequence: nearly everybody waits.
    check({.block_tokens = 4, .cache_bytes = 1}, 2);
    check({.block_tokens = 4, .prefill_tokens = 1}, 1);
  }
  // Neither outcome of a check is the only one that was seen.
  EXPECT_GT(drafted, 10000);
  EXPECT_GT(accepted, drafted / 10);
  EXPECT_LT(accepted, drafted * 9 / 10);
}

TEST(SpeculationTest, InEveryKindOfAttention) {
  for (const char* const family : {"deepseek_v32", "qwen3", "llama"}) {
    const auto model = MakeAhead(0.1, 3, family);
    const std::vector<Lease> leases = RandomLeases(5);
    const Outcome plain = RunAll({.block_tokens = 4}, model.get(), leases);
    const Outcome run =
        RunAll({.block_tokens = 4, .speculative = true}, model.get(), leases);
    ExpectSameGroups(plain, run, family);
    EXPECT_GT(run.stats.accepted_tokens, 0) << family;
  }
}

// Logits that are all 0 leave the choice to the random number that guess and
// token share.
TEST(SpeculationTest, AHeadThatAgreesHalvesTheSteps) {
  const auto model = MakeAhead(0);
  for (const double temperature : {0.0, 0.7, 1.0}) {
    Lease lease = MakeLease("p", 8, 4, 41);
    lease.mutable_sampling()->set_temperature(temperature);
    lease.mutable_sampling()->set_top_p(temperature == 0.7 ? 0.6 : 1);
    const Outcome plain = RunAll({}, model.get(), {lease});
    const Outcome run = RunAll({.speculative = true}, model.get(), {lease});
    ExpectSameGroups(plain, run, "flat");
    EXPECT_EQ(plain.stats.steps, 41);
    EXPECT_EQ(run.stats.steps, 21);  // The prefill's token, then two a step.
    EXPECT_EQ(run.stats.drafted_tokens, 80);
    EXPECT_EQ(run.stats.accepted_tokens, 80);
    const Group& group = run.groups.begin()->second;
    EXPECT_EQ(group.drafted_tokens(), 80);
    EXPECT_EQ(group.accepted_tokens(), 80);
    EXPECT_EQ(plain.groups.begin()->second.drafted_tokens(), 0);
  }
}

// Plays the engine on a finished completion: which guesses the head makes over
// the whole sequence, packed, and how many of them are its tokens.
std::pair<int64_t, int64_t> CountGuesses(const Transformer& model,
                                         const Lease& lease, int member,
                                         const Trajectory& trajectory) {
  const at::NoGradGuard no_grad;
  std::vector<int32_t> tokens(lease.prompt().tokens().begin(),
                              lease.prompt().tokens().end());
  tokens.insert(tokens.end(), trajectory.tokens().begin(),
                trajectory.tokens().end());
  const PackedTokens packed = PackSequences({tokens}, at::kCPU);
  const at::Tensor ahead = at::linear(
      model.PredictAhead(ShiftByOne(packed), model.Forward(packed).hidden)
          .hidden,
      model.Head());
  const TokenRandom random(lease.sampling().seed(), lease.occurrence(), member);
  int64_t made = 0;
  int64_t right = 0;
  const int most = lease.sampling().max_completion_tokens();
  for (int sampled = 1; sampled + 2 <= most;) {
    const at::Tensor row = ahead[lease.prompt().tokens_size() + sampled - 2];
    Sampler sampler;
    const auto guess = sampler.Sample(
        {row.const_data_ptr<float>(), static_cast<size_t>(row.numel())},
        lease.sampling(), random.Uniform(sampled));
    COHORT_EXPECT_OK(guess);
    ++made;
    const bool accepted = guess->token == trajectory.tokens(sampled);
    right += accepted;
    sampled += accepted ? 2 : 1;
  }
  return {made, right};
}

// Siblings share the blocks of their prompt, full ones and partial ones; the
// head's rows of what follows are each one's own.
TEST(SpeculationTest, GuessesAreThoseOfThePackedHead) {
  const auto model = MakeAhead(0.3, 8);
  for (const int prompt_tokens : {1, 4, 6, 8}) {
    const Lease lease = MakeLease("p", prompt_tokens, 6, 40);
    const Outcome run =
        RunAll({.block_tokens = 4, .speculative = true}, model.get(), {lease});
    const Group& group = run.groups.begin()->second;
    int64_t made = 0;
    int64_t right = 0;
    for (int member = 0; member < 6; ++member) {
      const auto counts =
          CountGuesses(*model, lease, member, group.trajectories(member));
      made += counts.first;
      right += counts.second;
    }
    EXPECT_EQ(group.drafted_tokens(), made) << prompt_tokens;
    EXPECT_EQ(group.accepted_tokens(), right) << prompt_tokens;
    EXPECT_GT(right, 20);
  }
}

TEST(SpeculationTest, AHeadOfNonsenseChangesNothing) {
  const auto model = MakeAhead(1);
  const std::vector<Lease> leases = RandomLeases(9);
  const Outcome plain = RunAll({.block_tokens = 4}, model.get(), leases);
  {
    const at::NoGradGuard no_grad;
    for (const NamedTensor& leaf : model->MtpParameters()) {
      leaf.tensor.detach().fill_(std::numeric_limits<float>::quiet_NaN());
    }
    model->WeightsChanged();
  }
  ExpectSameGroups(
      plain,
      RunAll({.block_tokens = 4, .speculative = true}, model.get(), leases),
      "NaN");
}

TEST(SpeculationTest, AModelWithoutAHeadIsRefused) {
  const auto model = MakeTinyModel();
  EXPECT_THAT(
      ModelEngine::Create({.speculative = true}, model.get(), nullptr, nullptr),
      StatusIs(absl::StatusCode::kInvalidArgument,
               HasSubstr("multi-token prediction head")));
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

// Samples one lease under versions 0, 1, 2, ... of the weights: version v + 1
// comes behind `steps[v]` more steps.
Group RunUnderUpdates(bool speculative, const Lease& lease,
                      const std::vector<int>& steps) {
  FakeLearner learner;
  TestServer server(&learner);
  const auto model = MakeAhead(0.2, 90);
  const auto stub = Learner::NewStub(MakeChannel(server.address()));
  WeightReceiver receiver(stub.get(), "run", "w0", WeightLayout(*model));
  std::jthread thread([&](std::stop_token stop) { receiver.Run(stop); });
  auto engine =
      ModelEngine::Create({.block_tokens = 4, .speculative = speculative},
                          model.get(), nullptr, &receiver);
  COHORT_EXPECT_OK(engine);
  const auto take = [&](int64_t version) {
    learner.Publish(
        version,
        ShardsOf(*MakeAhead(0.2, static_cast<uint64_t>(version)), version));
    receiver.WaitForNew(absl::Seconds(30));
    COHORT_EXPECT_OK((*engine)->ApplyNewWeights());
    EXPECT_EQ((*engine)->PolicyVersion(), version);
  };
  take(0);
  COHORT_EXPECT_OK((*engine)->Add(lease));
  std::vector<Group> finished;
  const auto step = [&] {
    auto groups = (*engine)->Step();
    COHORT_EXPECT_OK(groups);
    if (!groups->empty()) finished = *std::move(groups);
  };
  for (size_t version = 0; version < steps.size(); ++version) {
    for (int i = 0; i < steps[version]; ++i) step();
    take(static_cast<int64_t>(version) + 1);
  }
  while ((*engine)->Pending() > 0) step();
  learner.EndStreams(true);
  EXPECT_EQ(finished.size(), 1u);
  return finished.front();
}

// New weights find a sequence between two tokens, and where they do is in its
// version spans. Without guesses, new weights at that very token give the same.
TEST(SpeculationTest, NewWeightsBetweenTwoSteps) {
  Lease lease = MakeLease("p", 8, 4, 40);
  const Group mixed = RunUnderUpdates(true, lease, {3, 6, 1});
  EXPECT_GT(mixed.accepted_tokens(), 0);
  EXPECT_LT(mixed.accepted_tokens(), mixed.drafted_tokens());
  for (int member = 0; member < mixed.trajectories_size(); ++member) {
    const Trajectory& want = mixed.trajectories(member);
    ASSERT_EQ(want.versions_size(), 4);
    std::vector<int> steps;  // Each of one token.
    for (int v = 0; v < 3; ++v) {
      steps.push_back(want.versions(v).end() - want.versions(v).begin());
    }
    const Group plain = RunUnderUpdates(false, lease, steps);
    EXPECT_EQ(plain.trajectories(member).SerializeAsString(),
              want.SerializeAsString())
        << "member " << member;
  }
}

}  // namespace
}  // namespace cohort
