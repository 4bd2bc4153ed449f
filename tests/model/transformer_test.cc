#include "model/transformer.h"

#include <c10/core/CPUAllocator.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "model/guard.h"
#include "tests/testing/sampler_checks.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/tiny_families.h"

namespace cohort {
namespace {

using testing::HasSubstr;

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

TEST(KvCacheTest, CopiesABlockInAllLayers) {
  auto cache = KvCache::Create(TinyConfig(), 3, 4, at::kFloat, at::kCPU);
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

TEST(KvCacheTest, TooMuchMemoryIsResourceExhausted) {
  EXPECT_THAT(
      KvCache::Create(TinyConfig(), int64_t{1} << 40, 64, at::kFloat, at::kCPU),
      StatusIs(absl::StatusCode::kResourceExhausted,
               HasSubstr("cache of 1099511627776 blocks")));
  EXPECT_EQ(KvCache::BytesPerToken(TinyConfig(), at::kFloat), 128);
}

// Counts what LibTorch's allocator gives out on the CPU while it lives.
class CountingAllocator : public c10::Allocator {
 public:
  CountingAllocator() : previous_(c10::GetCPUAllocator()) {
    c10::SetCPUAllocator(this, /*priority=*/100);
  }
  ~CountingAllocator() override { c10::SetCPUAllocator(previous_, 100); }

  c10::DataPtr allocate(size_t bytes) override {
    bytes_ += static_cast<int64_t>(bytes);
    return previous_->allocate(bytes);
  }
  void copy_data(void* to, const void* from, size_t bytes) const override {
    previous_->copy_data(to, from, bytes);
  }
  int64_t bytes() const { return bytes_; }

 private:
  c10::Allocator* const previous_;
  int64_t bytes_ = 0;
};

int64_t AllocatedPerTokenAndLayer(const ModelConfig& config,
                                  at::ScalarType dtype) {
  constexpr int64_t kBlocks = 6;
  constexpr int64_t kBlockTokens = 16;
  const CountingAllocator allocator;
  const auto cache =
      KvCache::Create(config, kBlocks, kBlockTokens, dtype, at::kCPU);
  COHORT_EXPECT_OK(cache);
  const int64_t places = kBlocks * kBlockTokens * config.num_hidden_layers;
  EXPECT_EQ(allocator.bytes() % places, 0);
  EXPECT_EQ(allocator.bytes() / places, KvCache::BytesPerToken(config, dtype));
  return allocator.bytes() / places;
}

// DeepSeek-V2's attention (arXiv:2405.04434, section 3.1.2): 128 heads that
// would each hold a key of 128 + 64 and a value of 128.
TEST(KvCacheTest, LatentsTakeTwoHundredthsOfFullHeads) {
  ModelConfig config = TinyConfig();
  config.num_attention_heads = 128;
  config.kv_lora_rank = 512;
  config.qk_nope_head_dim = 128;
  config.qk_rope_head_dim = 64;
  config.v_head_dim = 128;
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    const int64_t bytes = static_cast<int64_t>(c10::elementSize(dtype));
    const int64_t latent = AllocatedPerTokenAndLayer(config, dtype);
    EXPECT_EQ(latent, (512 + 64) * bytes);
    const int64_t full = 128 * (128 + 64 + 128) * bytes;
    EXPECT_LE(static_cast<double>(latent), 0.02 * static_cast<double>(full));
  }
}

TEST(KvCacheTest, GroupedQueriesHoldKeysAndValuesOnce) {
  const ModelConfig config = TinyFamilyConfig("qwen3");
  EXPECT_EQ(AllocatedPerTokenAndLayer(config, at::kFloat), 2 * 2 * 14 * 4);
  // The indexer's key lies beside the latent.
  EXPECT_EQ(
      AllocatedPerTokenAndLayer(TinyFamilyConfig("deepseek_v32"), at::kFloat),
      (24 + 8 + 11) * 4);
}

TEST(KvCacheTest, NoBlocksIsAnError) {
  EXPECT_THAT(
      KvCache::Create(TinyConfig(), 0, 64, at::kFloat, at::kCPU),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("0 blocks")));
}

}  // namespace
}  // namespace cohort
