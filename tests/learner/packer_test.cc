#include "learner/packer.h"

#include <torch/types.h>

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "learner/mismatch.h"
#include "learner/policy_update.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/tiny_model.h"

namespace cohort {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// A group over prompt {3, 4} with completions of these lengths.
Group MakeGroup(const std::string& id, const std::vector<int>& lengths) {
  Group group;
  group.set_id(id);
  group.mutable_prompt()->add_tokens(3);
  group.mutable_prompt()->add_tokens(4);
  for (const int length : lengths) {
    Trajectory& trajectory = *group.add_trajectories();
    for (int t = 0; t < length; ++t) {
      trajectory.add_tokens(5 + t);
      trajectory.add_sampler_logprobs(-0.5f * static_cast<float>(t + 1));
    }
    trajectory.add_versions()->set_end(length);
  }
  return group;
}

GroupLesson MakeLesson(const std::vector<double>& advantages) {
  GroupLesson lesson;
  for (size_t i = 0; i < advantages.size(); ++i) {
    lesson.members.push_back(static_cast<int>(i));
    lesson.has_spread = lesson.has_spread || advantages[i] != 0;
  }
  lesson.advantages = advantages;
  return lesson;
}

std::vector<int64_t> List(const at::Tensor& tensor) {
  const at::Tensor values = tensor.to(at::kLong).contiguous();
  const int64_t* value = values.const_data_ptr<int64_t>();
  return {value, value + values.numel()};
}

TEST(PackerTest, RowsPredictTheTokensThatWereSampled) {
  const auto packed =
      PackGroups({MakeGroup("g", {2, 3})}, {MakeLesson({0.5, -0.5})},
                 TinyConfig(), {}, at::kCPU);
  COHORT_ASSERT_OK(packed);
  ASSERT_EQ(packed->microbatches.size(), 1);
  const Microbatch& batch = packed->microbatches[0];
  // The last sampled token is a target only: nobody reads it.
  EXPECT_THAT(List(batch.packed.tokens), ElementsAre(3, 4, 5, 3, 4, 5, 6));
  EXPECT_THAT(batch.packed.offsets, ElementsAre(0, 3, 7));
  EXPECT_THAT(List(batch.rows), ElementsAre(1, 2, 4, 5, 6));
  EXPECT_THAT(List(batch.targets), ElementsAre(5, 6, 5, 6, 7));
  EXPECT_THAT(List(batch.trajectories), ElementsAre(0, 0, 1, 1, 1));
  EXPECT_EQ(batch.advantages[0].item<float>(), 0.5f);
  EXPECT_EQ(batch.sampler_logprobs[4].item<float>(), -1.5f);
  EXPECT_THAT(packed->counts.lengths, ElementsAre(2, 3));
}

TEST(PackerTest, WhatTheLimitCutOffIsFilteredWhereAskedAndCountsNoTokens) {
  Group group = MakeGroup("g", {2, 3});
  group.mutable_trajectories(1)->set_finish_reason(FINISH_REASON_LENGTH);
  const GroupLesson lesson = MakeLesson({0.5, -0.5});
  const auto all = PackGroups({group}, {lesson}, TinyConfig(), {}, at::kCPU);
  COHORT_ASSERT_OK(all);
  EXPECT_THAT(all->counts.lengths, ElementsAre(2, 3));
  const auto filtered = PackGroups({group}, {lesson}, TinyConfig(),
                                   {.filter_truncated = true}, at::kCPU);
  COHORT_ASSERT_OK(filtered);
  EXPECT_THAT(filtered->counts.lengths, ElementsAre(2, 0));
  EXPECT_THAT(List(filtered->microbatches[0].trajectories), ElementsAre(0, 0));
}

TEST(PackerTest, ALongSequenceIsPackedAlone) {
  const auto packed =
      PackGroups({MakeGroup("g", {2, 2, 30, 2})}, {MakeLesson({1, -1, 1, -1})},
                 TinyConfig(), {.microbatch_tokens = 6}, at::kCPU);
  COHORT_ASSERT_OK(packed);
  std::vector<size_t> rows;
  for (const Microbatch& batch : packed->microbatches) {
    rows.push_back(static_cast<size_t>(batch.packed.offsets.back()));
  }
  EXPECT_THAT(rows, ElementsAre(6, 31, 3));
}

TEST(PackerTest, GroupsWithoutSpreadAreCountedAndLeftOut) {
  const auto packed =
      PackGroups({MakeGroup("a", {2, 2}), MakeGroup("b", {3, 4})},
                 {MakeLesson({0, 0}), MakeLesson({0.5, -0.5})}, TinyConfig(),
                 {.keep_zero_advantages = true}, at::kCPU);
  COHORT_ASSERT_OK(packed);
  EXPECT_THAT(packed->counts.lengths, ElementsAre(2, 2, 3, 4));
  ASSERT_EQ(packed->microbatches.size(), 1);
  EXPECT_EQ(packed->microbatches[0].rows.numel(), 7);
}

TEST(PackerTest, ZeroAdvantagesNeedNoForwardWithoutAPenalty) {
  for (const bool keep : {false, true}) {
    const auto packed =
        PackGroups({MakeGroup("a", {2, 3, 4})}, {MakeLesson({0.5, 0, -0.5})},
                   TinyConfig(), {.keep_zero_advantages = keep}, at::kCPU);
    COHORT_ASSERT_OK(packed);
    EXPECT_EQ(packed->microbatches[0].rows.numel(), keep ? 9 : 6);
    EXPECT_EQ(packed->counts.lengths.size(), 3);
  }
}

TEST(PackerTest, AForeignTokenOrAMissingLogprobIsNamed) {
  Group foreign = MakeGroup("g1", {2, 2});
  foreign.mutable_trajectories(1)->set_tokens(0, 37);  // V is 37.
  EXPECT_THAT(
      PackGroups({foreign}, {MakeLesson({1, -1})}, TinyConfig(), {}, at::kCPU),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("g1, member 1")));
  Group torn = MakeGroup("g2", {2, 2});
  torn.mutable_trajectories(0)->mutable_sampler_logprobs()->RemoveLast();
  EXPECT_THAT(
      PackGroups({torn}, {MakeLesson({1, -1})}, TinyConfig(), {}, at::kCPU),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("g2, member 0")));
}

// Gives `group` the log-probabilities and experts of `model`, one sequence at a
// time, as a sampler would have recorded them.
void RecordSampler(const Transformer& model, Group* group) {
  const at::NoGradGuard no_grad;
  const auto bytes = [](const std::vector<at::Tensor>& routes, int64_t begin,
                        int64_t end) {
    std::string out;
    for (int64_t n = begin; n < end; ++n) {
      for (const at::Tensor& layer : routes) {
        for (int64_t k = 0; k < layer.size(1); ++k) {
          out.push_back(static_cast<char>(layer[n][k].item<int64_t>()));
        }
      }
    }
    return out;
  };
  for (Trajectory& trajectory : *group->mutable_trajectories()) {
    std::vector<int32_t> tokens = {3, 4};
    tokens.insert(tokens.end(), trajectory.tokens().begin(),
                  trajectory.tokens().end());
    const ForwardResult forward =
        model.Forward(PackSequences({tokens}, at::kCPU));
    const at::Tensor all =
        at::log_softmax(forward.hidden.matmul(model.Head().t()), -1);
    for (int t = 0; t < trajectory.tokens_size(); ++t) {
      trajectory.set_sampler_logprobs(
          t, all[1 + t][trajectory.tokens(t)].item<float>());
    }
    const int64_t fed = static_cast<int64_t>(tokens.size()) - 1;
    group->set_prompt_routes(bytes(forward.routes, 0, 2));
    trajectory.set_routes(bytes(forward.routes, 2, fed));
  }
}

class MismatchTest : public testing::Test {
 protected:
  MismatchTest() : model_(MakeTinyModel()), group_(MakeGroup("g", {4, 6})) {
    RecordSampler(*model_, &group_);
  }

  Mismatch Measure(int64_t policy_version = 0) const {
    auto packed = PackGroups({group_}, {MakeLesson({1, -1})}, model_->config(),
                             {.policy_version = policy_version}, at::kCPU);
    EXPECT_THAT(packed, IsOk());
    const at::NoGradGuard no_grad;
    const ScoredMicrobatch scored =
        ScoreMicrobatch(*model_, packed->microbatches[0], 1.0);
    return CompareWithSampler(packed->microbatches[0], scored.scores.logprobs,
                              scored.routes);
  }

  std::unique_ptr<Transformer> model_;
  Group group_;
};

TEST_F(MismatchTest, TheSameWeightsAgree) {
  const Mismatch mismatch = Measure();
  EXPECT_EQ(mismatch.tokens, 10);
  EXPECT_EQ(mismatch.route_flips, 0);
  EXPECT_LE(mismatch.max_abs_diff_nats, 5e-5);
  EXPECT_LE(mismatch.mean_abs_diff_nats(), 2e-6);
}

TEST_F(MismatchTest, APerturbedWeightShows) {
  const at::NoGradGuard no_grad;
  model_->Head().data()[5][0] += 0.05;
  model_->WeightsChanged();
  EXPECT_GT(Measure().max_abs_diff_nats, 1e-3);
}

TEST_F(MismatchTest, TokensBehindAnotherExpertAreCountedApart) {
  std::string routes = group_.trajectories(1).routes();
  // Another set of experts, in the first layer, where its second token is read.
  const size_t at = 1 * 2 * 2;
  routes[at] = static_cast<char>(routes[at] == 0 ? 1 : 0);
  group_.mutable_trajectories(1)->set_routes(routes);
  const Mismatch mismatch = Measure();
  EXPECT_EQ(mismatch.route_flips, 1);
  EXPECT_EQ(mismatch.tokens, 4 + 2);  // Of six: the two before the flip.
}

TEST_F(MismatchTest, AnotherPolicysTokensAreNotCompared) {
  EXPECT_EQ(Measure(/*policy_version=*/3).tokens, 0);
}

}  // namespace
}  // namespace cohort
