#include "model/transformer.h"

#include <ATen/Parallel.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <numeric>
#include <random>

#include "model/guard.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/tiny_model.h"

namespace cohort {
namespace {

using testing::HasSubstr;

std::vector<std::vector<int32_t>> RandomSequences(int count, int shortest,
                                                  int longest,
                                                  uint32_t seed = 7) {
  std::mt19937 bits(seed);
  std::vector<std::vector<int32_t>> sequences(static_cast<size_t>(count));
  for (auto& sequence : sequences) {
    const auto width = static_cast<uint32_t>(longest - shortest + 1);
    sequence.resize(static_cast<size_t>(shortest) + bits() % width);
    for (int32_t& token : sequence) token = static_cast<int32_t>(bits() % 37);
  }
  return sequences;
}

std::vector<int64_t> PromptsOf(
    const std::vector<std::vector<int32_t>>& sequences, int64_t tokens) {
  std::vector<int64_t> prompts;
  for (const auto& s : sequences) {
    prompts.push_back(std::min(tokens, static_cast<int64_t>(s.size())));
  }
  return prompts;
}

// The bits of everything that a run gave for one sequence.
std::vector<at::Tensor> RowsOf(const SamplerRun& run, size_t s) {
  std::vector<at::Tensor> rows = run.logits[s];
  rows.insert(rows.end(), run.routes[s].begin(), run.routes[s].end());
  return rows;
}

void ExpectSameBits(const std::vector<at::Tensor>& a,
                    const std::vector<at::Tensor>& b, const std::string& what) {
  ASSERT_EQ(a.size(), b.size()) << what;
  for (size_t i = 0; i < a.size(); ++i) {
    EXPECT_TRUE(at::equal(a[i], b[i])) << what << ", row " << i;
  }
}

struct Agreement {
  double largest = 0;
  double mean = 0;
  int64_t compared = 0;
  int64_t other_experts = 0;  // Tokens whose expert sets differ.
};

// Log-probabilities of the sampled tokens: as the sampler's path gives them
// against the learner's packed forward.
Agreement Compare(const Transformer& model,
                  const std::vector<std::vector<int32_t>>& sequences,
                  int64_t prompt_tokens) {
  const at::NoGradGuard no_grad;
  const std::vector<int64_t> prompts = PromptsOf(sequences, prompt_tokens);
  const SamplerRun run = RunSampler(model, sequences, prompts);
  const PackedTokens packed = PackSequences(sequences, at::kCPU);
  const ForwardResult forward = model.Forward(packed);
  const at::Tensor logprobs =
      at::linear(forward.hidden, model.Head()).log_softmax(-1);
  const at::Tensor routes = at::stack(forward.routes, 1).to(at::kInt);
  Agreement agreement;
  for (size_t s = 0; s < sequences.size(); ++s) {
    for (int64_t t = prompts[s]; t < static_cast<int64_t>(sequences[s].size());
         ++t) {
      const size_t at = static_cast<size_t>(t);
      const int64_t row = packed.offsets[s] + t - 1;
      if (!at::equal(routes[row], run.routes[s][at - 1])) {
        ++agreement.other_experts;
        continue;
      }
      const int32_t token = sequences[s][at];
      const double gap =
          std::abs(run.logits[s][at - static_cast<size_t>(prompts[s])]
                       .log_softmax(-1)[token]
                       .item<double>() -
                   logprobs[row][token].item<double>());
      agreement.largest = std::max(agreement.largest, gap);
      agreement.mean += gap;
      ++agreement.compared;
    }
  }
  agreement.mean /= static_cast<double>(agreement.compared);
  return agreement;
}

// Two forms of the same attention round differently; that is all there may be
// between them.
TEST(TransformerTest, SamplerAndLearnerAgreeOnLogprobs) {
  const auto model = MakeTinyModel();
  const auto sequences = RandomSequences(24, 12, 60);
  const Agreement agreement = Compare(*model, sequences, 8);
  EXPECT_GT(agreement.compared, 500);
  EXPECT_LE(agreement.largest, 5e-5);
  EXPECT_LE(agreement.mean, 2e-6);
  EXPECT_GT(agreement.largest, 0);  // Two separately computed arrays.
  EXPECT_LE(agreement.other_experts, agreement.compared / 500);
}

TEST(TransformerTest, OnePerturbedWeightMovesLogprobs) {
  const auto model = MakeTinyModel();
  const auto sequences = RandomSequences(4, 12, 30);
  const auto before = RunSampler(*model, sequences, PromptsOf(sequences, 8));
  for (const NamedTensor& view : model->HfTensors()) {
    if (view.name == "model.layers.1.self_attn.kv_b_proj.weight") {
      view.tensor[0][0] += 0.05;
    }
  }
  model->WeightsChanged();
  const auto after = RunSampler(*model, sequences, PromptsOf(sequences, 8));
  double moved = 0;
  for (size_t t = 1; t < before.logits[0].size(); ++t) {
    moved = std::max(
        moved,
        (before.logits[0][t] - after.logits[0][t]).abs().max().item<double>());
  }
  EXPECT_GT(moved, 1e-4);
  // Both paths saw the same change.
  EXPECT_LE(Compare(*model, sequences, 8).largest, 5e-5);
}

class BatchTest : public testing::TestWithParam<int> {};

TEST_P(BatchTest, RowsDoNotDependOnBatchOrThreads) {
  const auto model = MakeTinyModel();
  const auto sequences = RandomSequences(64, 20, 28);
  const std::vector<int64_t> prompts = PromptsOf(sequences, 9);
  at::set_num_threads(1);
  const SamplerRun all = RunSampler(*model, sequences, prompts);
  at::set_num_threads(2);
  const size_t batch = static_cast<size_t>(GetParam());
  for (size_t begin = 0; begin < sequences.size(); begin += 13) {
    const size_t end = std::min(begin + batch, sequences.size());
    const std::vector<std::vector<int32_t>> part(
        sequences.begin() + static_cast<long>(begin),
        sequences.begin() + static_cast<long>(end));
    const SamplerRun run = RunSampler(*model, part, PromptsOf(part, 9));
    for (size_t s = 0; s < part.size(); ++s) {
      ExpectSameBits(RowsOf(run, s), RowsOf(all, begin + s),
                     "sequence " + std::to_string(begin + s));
    }
  }
  at::set_num_threads(1);
}

INSTANTIATE_TEST_SUITE_P(Batches, BatchTest, testing::Values(1, 7, 64));

TEST(TransformerTest, ShuffledBlocksGiveTheSameBits) {
  const auto model = MakeTinyModel();
  const auto sequences = RandomSequences(5, 10, 40);
  const std::vector<int64_t> prompts = PromptsOf(sequences, 9);
  const SamplerRun in_order = RunSampler(*model, sequences, prompts);
  SamplerLayout layout;
  layout.block_order.resize(60);
  std::iota(layout.block_order.begin(), layout.block_order.end(), 0);
  std::shuffle(layout.block_order.begin(), layout.block_order.end(),
               std::mt19937(3));
  const SamplerRun shuffled = RunSampler(*model, sequences, prompts, layout);
  for (size_t s = 0; s < sequences.size(); ++s) {
    ExpectSameBits(RowsOf(shuffled, s), RowsOf(in_order, s),
                   "sequence " + std::to_string(s));
  }
}

TEST(TransformerTest, BlockSizeDoesNotChangeBits) {
  const auto model = MakeTinyModel();
  const auto sequences = RandomSequences(3, 30, 40);
  const std::vector<int64_t> prompts = PromptsOf(sequences, 9);
  const SamplerRun small = RunSampler(*model, sequences, prompts);
  SamplerLayout layout;
  layout.block_tokens = 16;
  const SamplerRun large = RunSampler(*model, sequences, prompts, layout);
  for (size_t s = 0; s < sequences.size(); ++s) {
    ExpectSameBits(RowsOf(large, s), RowsOf(small, s),
                   "sequence " + std::to_string(s));
  }
}

// Without kernels of our own (float64 here, bfloat16 on CUDA) the same model is
// composed of LibTorch's operations.
TEST(TransformerTest, LibTorchPathAgreesWithKernels) {
  const auto model = MakeTinyModel();
  auto wide = Transformer::Create(TinyConfig(), at::kDouble, at::kCPU);
  COHORT_ASSERT_OK(wide);
  const auto from = model->HfTensors();
  const auto to = (*wide)->HfTensors();
  for (size_t i = 0; i < from.size(); ++i) to[i].tensor.copy_(from[i].tensor);
  const auto sequences = RandomSequences(6, 12, 40);
  const std::vector<int64_t> prompts = PromptsOf(sequences, 9);
  const SamplerRun a = RunSampler(*model, sequences, prompts);
  const SamplerRun b = RunSampler(**wide, sequences, prompts);
  for (size_t s = 0; s < sequences.size(); ++s) {
    for (size_t t = 0; t < a.logits[s].size(); ++t) {
      EXPECT_LE((a.logits[s][t] - b.logits[s][t]).abs().max().item<double>(),
                1e-4);
    }
  }
}

TEST(TransformerTest, ForcedRoutesReplaceTheChoice) {
  const at::NoGradGuard no_grad;
  const auto model = MakeTinyModel();
  const PackedTokens batch = PackSequences(RandomSequences(3, 5, 9), at::kCPU);
  const ForwardResult free = model->Forward(batch);
  const ForwardResult same = model->Forward(batch, &free.routes);
  EXPECT_TRUE(at::equal(same.hidden, free.hidden));
  std::vector<at::Tensor> others;
  for (const at::Tensor& chosen : free.routes) {
    others.push_back(std::get<0>(((chosen + 1) % 8).sort(-1)));
  }
  const ForwardResult forced = model->Forward(batch, &others);
  EXPECT_TRUE(at::equal(forced.routes[0], others[0]));
  EXPECT_FALSE(at::equal(forced.hidden, free.hidden));
}

TEST(TransformerTest, TrainingStillWorksAfterSampling) {
  const auto model = MakeTinyModel();
  model->SetTrainable(true);
  const auto sequences = RandomSequences(2, 12, 14);
  RunSampler(*model, sequences, PromptsOf(sequences, 4));
  model->Forward(PackSequences(sequences, at::kCPU)).hidden.sum().backward();
  for (const NamedTensor& leaf : model->Parameters()) {
    EXPECT_TRUE(leaf.name == "head" || leaf.tensor.grad().defined())
        << leaf.name;
  }
}

TEST(TransformerTest, HfTensorsAliasTheWeights) {
  const auto model = MakeTinyModel();
  for (const NamedTensor& view : model->HfTensors()) view.tensor.fill_(0.25);
  for (const NamedTensor& leaf : model->Parameters()) {
    EXPECT_TRUE((leaf.tensor == 0.25).all().item<bool>()) << leaf.name;
  }
  int64_t values = 0;
  for (const NamedTensor& view : model->HfTensors()) {
    values += view.tensor.numel();
  }
  EXPECT_EQ(values, TinyConfig().ParameterCount());
}

TEST(TransformerTest, ATiedHeadIsTheEmbedding) {
  ModelConfig config = TinyConfig();
  config.tie_word_embeddings = true;
  const auto model = MakeModel(config);
  for (const NamedTensor& view : model->HfTensors()) {
    EXPECT_NE(view.name, "lm_head.weight");
    if (view.name == "model.embed_tokens.weight") view.tensor.fill_(0.5);
  }
  EXPECT_TRUE((model->Head() == 0.5).all().item<bool>());
}

TEST(TransformerTest, AModelWithoutExpertsRuns) {
  ModelConfig config = TinyConfig();
  config.n_routed_experts = 0;
  config.q_lora_rank = 0;
  const auto model = MakeModel(config);
  const auto sequences = RandomSequences(2, 12, 14);
  const SamplerRun run = RunSampler(*model, sequences, PromptsOf(sequences, 4));
  EXPECT_EQ(run.routes[0][0].size(0), 0);
}

TEST(InitialiseTest, SameSeedSameBits) {
  const auto a = MakeTinyModel(5);
  const auto b = MakeTinyModel(5);
  const auto other = MakeTinyModel(6);
  const auto views = a->HfTensors();
  for (size_t i = 0; i < views.size(); ++i) {
    EXPECT_TRUE(at::equal(views[i].tensor, b->HfTensors()[i].tensor));
    if (views[i].tensor.dim() == 2) {
      EXPECT_FALSE(at::equal(views[i].tensor, other->HfTensors()[i].tensor))
          << views[i].name;
    }
  }
}

// The generator's definition written out for one element: SplitMix64 of the
// seed, the tensor's name (FNV-1a) and the element's number, then Box-Muller.
TEST(InitialiseTest, ElementsAreThoseOfTheirDefinition) {
  const auto mix = [](uint64_t x) {
    x += 0x9E3779B97F4A7C15u;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
  };
  uint64_t name = 0xCBF29CE484222325u;
  for (const char c : std::string("lm_head.weight")) {
    name = (name ^ static_cast<uint8_t>(c)) * 0x100000001B3u;
  }
  const uint64_t key = mix(5 ^ mix(name));
  const auto uniform = [&](uint64_t i) {
    return static_cast<double>((mix(key + i) >> 11) + 1) / 9007199254740992.0;
  };
  const double radius = std::sqrt(-2 * std::log(uniform(100)));
  const double angle = 2 * std::acos(-1.0) * uniform(101);
  const at::Tensor head = MakeTinyModel(5)->Head().flatten();
  EXPECT_FLOAT_EQ(head[100].item<float>(),
                  static_cast<float>(radius * std::cos(angle) / std::sqrt(48)));
  EXPECT_FLOAT_EQ(head[101].item<float>(),
                  static_cast<float>(radius * std::sin(angle) / std::sqrt(48)));
}

TEST(InitialiseTest, FanInHasTheSpreadOfTheRecipe) {
  ModelConfig config = TinyConfig();
  config.vocab_size = 500;
  const auto model = MakeModel(config);
  std::map<std::string, at::Tensor> views;
  for (const NamedTensor& view : model->HfTensors()) {
    views[view.name] = view.tensor;
  }
  const auto deviation = [&](const std::string& name) {
    return views.at(name).std().item<double>();
  };
  const double d = 48;
  EXPECT_NEAR(deviation("model.embed_tokens.weight"), 0.5, 0.01);
  EXPECT_NEAR(deviation("lm_head.weight"), 1 / std::sqrt(d), 0.003);
  EXPECT_NEAR(deviation("model.layers.0.mlp.up_proj.weight"), 1 / std::sqrt(d),
              0.006);
  EXPECT_NEAR(deviation("model.layers.0.mlp.down_proj.weight"),
              0.5 / std::sqrt(80.0), 0.003);
  EXPECT_NEAR(deviation("model.layers.0.self_attn.o_proj.weight"),
              0.5 / std::sqrt(30.0), 0.007);
  EXPECT_TRUE((views.at("model.norm.weight") == 1).all().item<bool>());
}

TEST(InitialiseTest, UnknownKindIsNamed) {
  const auto model = MakeTinyModel();
  EXPECT_THAT(GuardTorch([&] { model->Initialise("xavier", 0.5, 1); }),
              StatusIs(absl::StatusCode::kInternal, HasSubstr("\"xavier\"")));
}

TEST(LatentCacheTest, CopiesABlockInAllLayers) {
  auto cache = LatentCache::Create(TinyConfig(), 3, 4, at::kFloat, at::kCPU);
  COHORT_ASSERT_OK(cache);
  for (int64_t i = 0; i < 3; ++i) {
    cache->layer(i).zero_();
    cache->layer(i)[2].fill_(static_cast<double>(i + 1));
  }
  cache->CopyBlock(2, 0);
  for (int64_t i = 0; i < 3; ++i) {
    EXPECT_TRUE(at::equal(cache->layer(i)[0], cache->layer(i)[2]));
    EXPECT_TRUE((cache->layer(i)[1] == 0).all().item<bool>());
  }
}

TEST(LatentCacheTest, TooMuchMemoryIsResourceExhausted) {
  EXPECT_THAT(LatentCache::Create(TinyConfig(), int64_t{1} << 40, 64,
                                  at::kFloat, at::kCPU),
              StatusIs(absl::StatusCode::kResourceExhausted,
                       HasSubstr("latent cache of 1099511627776 blocks")));
  EXPECT_EQ(LatentCache::BytesPerToken(TinyConfig(), at::kFloat), 128);
}

TEST(LatentCacheTest, NoBlocksIsAnError) {
  EXPECT_THAT(
      LatentCache::Create(TinyConfig(), 0, 64, at::kFloat, at::kCPU),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("0 blocks")));
}

}  // namespace
}  // namespace cohort
