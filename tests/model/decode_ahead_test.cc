// Some tokens of one sequence in one step of decoding, and the prediction head
// over the paged cache.
#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <torch/types.h>

#include <algorithm>
#include <string>
#include <vector>

#include "model/mtp.h"
#include "tests/testing/sampler_checks.h"
#include "tests/testing/tiny_families.h"

namespace cohort {
namespace {

// Blocks in no order, as a cache has them after a while.
SamplerLayout Shuffled(int64_t blocks) {
  SamplerLayout layout;
  for (int64_t i = 0; i < blocks; ++i) {
    layout.block_order.push_back((i * 7 + 3) % blocks);
  }
  return layout;
}

std::unique_ptr<Transformer> MakeAhead(const std::string& family,
                                       at::ScalarType dtype = at::kFloat) {
  ModelConfig config = TinyFamilyConfig(family);
  config.num_nextn_predict_layers = 1;
  return MakeModel(config, 4, dtype);
}

// The tokens behind the prompts, one to three of each sequence in a step.
SamplerRun RunInStrides(const Transformer& model,
                        const std::vector<std::vector<int32_t>>& sequences,
                        const std::vector<int64_t>& prompts) {
  SamplerCache cache(model, static_cast<int64_t>(sequences.size()), 48,
                     Shuffled(12 * 11));
  SamplerRun run;
  run.logits.resize(sequences.size());
  run.routes.resize(sequences.size());
  RunPrompts(model, sequences, prompts, &cache, &run);
  std::vector<int64_t> next = prompts;
  for (size_t step = 0;; ++step) {
    std::vector<int64_t> live, tokens, positions;
    for (size_t s = 0; s < sequences.size(); ++s) {
      const auto size = static_cast<int64_t>(sequences[s].size());
      const auto stride = static_cast<int64_t>(1 + (s + step) % 3);
      for (int64_t end = std::min(next[s] + stride, size); next[s] < end;) {
        live.push_back(static_cast<int64_t>(s));
        tokens.push_back(sequences[s][static_cast<size_t>(next[s])]);
        positions.push_back(next[s]++);
      }
    }
    if (live.empty()) return run;
    Append(model.Decode(
               at::tensor(tokens, at::kLong), at::tensor(positions, at::kLong),
               cache.tables().index_select(0, at::tensor(live, at::kLong)),
               cache.cache()),
           live, &run);
  }
}

void ExpectStridesChangeNothing(const Transformer& model,
                                const std::string& what) {
  const auto sequences = RandomSequences(11, 25, 48);
  const std::vector<int64_t> prompts = PromptsOf(sequences, 6);
  const SamplerRun steps = RunSampler(model, sequences, prompts);
  for (const int threads : {1, 2, 3}) {
    at::set_num_threads(threads);
    const SamplerRun strides = RunInStrides(model, sequences, prompts);
    for (size_t s = 0; s < sequences.size(); ++s) {
      ExpectSameBits(RowsOf(steps, s), RowsOf(strides, s),
                     what + ", sequence " + std::to_string(s));
    }
  }
  at::set_num_threads(1);
}

TEST(DecodeTest, TokensOfOneSequenceTogetherHaveTheBitsOfOneByOne) {
  for (const char* const family : kTinyFamilies) {
    ExpectStridesChangeNothing(*MakeTinyFamily(family), family);
  }
}

// Of that many heads, sequences that share blocks are attended to together.
TEST(DecodeTest, LikewiseOfManyHeads) {
  ModelConfig config = TinyConfig();
  config.num_attention_heads = config.num_key_value_heads = 8;
  ExpectStridesChangeNothing(*MakeModel(config), "8 heads");
}

// Runs `sequences` as the engine would if it had sampled them, and returns the
// logits of the head's last rows of each sequence, [rows, V], from that of the
// prompt's last token on.
class AheadRun {
 public:
  AheadRun(const Transformer& model,
           const std::vector<std::vector<int32_t>>& sequences,
           int64_t prompt_tokens)
      : model_(model),
        sequences_(sequences),
        next_(PromptsOf(sequences, prompt_tokens)),
        cache_(model, static_cast<int64_t>(sequences.size()), 48,
               Shuffled(static_cast<int64_t>(12 * sequences.size()))),
        logits_(sequences.size()) {
    Prefill();
    for (size_t step = 0; Step(step);) ++step;
  }

  at::Tensor LogitsOf(size_t s) const { return at::stack(logits_[s]); }

 private:
  void Prefill() {
    std::vector<std::vector<int32_t>> prompts;
    std::vector<int64_t> slots, last, all;
    for (size_t s = 0; s < sequences_.size(); ++s) {
      prompts.emplace_back(sequences_[s].begin(),
                           sequences_[s].begin() + next_[s]);
      for (int64_t t = 0; t < next_[s]; ++t) slots.push_back(cache_.Slot(s, t));
      last.push_back(next_[s] - 1);
      all.push_back(static_cast<int64_t>(s));
    }
    const SampleResult result =
        model_.Prefill(PackSequences(prompts, at::kCPU),
                       at::tensor(slots, at::kLong), cache_.cache());
    LookAhead(all, last, result.hidden);
  }

  // Feeds one or two tokens of each sequence; false when there are none left.
  bool Step(size_t step) {
    std::vector<int64_t> live, tokens, positions;
    for (size_t s = 0; s < sequences_.size(); ++s) {
      // The last token has none behind it that the head could join.
      const auto end = static_cast<int64_t>(sequences_[s].size()) - 1;
      const auto stride = static_cast<int64_t>(1 + (s + step) % 2);
      for (int64_t i = 0; i < stride && next_[s] < end; ++i) {
        live.push_back(static_cast<int64_t>(s));
        tokens.push_back(sequences_[s][static_cast<size_t>(next_[s])]);
        positions.push_back(next_[s]++);
      }
    }
    if (live.empty()) return false;
    const SampleResult result = model_.Decode(
        at::tensor(tokens, at::kLong), at::tensor(positions, at::kLong),
        cache_.tables().index_select(0, at::tensor(live, at::kLong)),
        cache_.cache());
    LookAhead(live, positions, result.hidden);
    return true;
  }

  void LookAhead(const std::vector<int64_t>& live,
                 const std::vector<int64_t>& positions,
                 const at::Tensor& hidden) {
    const auto count = static_cast<int64_t>(live.size());
    std::vector<int64_t> tokens, wanted;
    const at::Tensor slots = at::zeros({count, 48}, at::kInt);
    for (size_t n = 0; n < live.size(); ++n) {
      const auto s = static_cast<size_t>(live[n]);
      tokens.push_back(sequences_[s][static_cast<size_t>(positions[n] + 1)]);
      wanted.push_back(count - 1 - static_cast<int64_t>(n));
      for (int64_t j = 0; j <= positions[n]; ++j) {
        slots[static_cast<int64_t>(n)][j] = cache_.Slot(s, j + 1);
      }
    }
    const at::Tensor logits =
        model_.DecodeAhead({.hidden = hidden,
                            .tokens = at::tensor(tokens, at::kLong),
                            .positions = at::tensor(positions, at::kLong),
                            .slots = slots,
                            .wanted = at::tensor(wanted, at::kLong)},
                           cache_.cache());
    for (size_t n = 0; n < live.size(); ++n) {
      logits_[static_cast<size_t>(live[n])].push_back(
          logits[count - 1 - static_cast<int64_t>(n)].clone());
    }
  }

  const Transformer& model_;
  const std::vector<std::vector<int32_t>>& sequences_;
  std::vector<int64_t> next_;  // Token to be fed.
  SamplerCache cache_;
  std::vector<std::vector<at::Tensor>> logits_;
};

// PredictAhead is held against transformers in mtp_test.cc.
void ExpectAheadEqualsPacked(const Transformer& model, double tolerance,
                             const std::string& what) {
  const at::NoGradGuard no_grad;
  const auto sequences = RandomSequences(5, 20, 40);
  for (const int64_t prompt_tokens : {1, 4, 7}) {
    const AheadRun run(model, sequences, prompt_tokens);
    for (size_t s = 0; s < sequences.size(); ++s) {
      const PackedTokens packed = PackSequences({sequences[s]}, at::kCPU);
      const at::Tensor all = at::linear(
          model.PredictAhead(ShiftByOne(packed), model.Forward(packed).hidden)
              .hidden,
          model.Head());
      const at::Tensor got = run.LogitsOf(s);
      const at::Tensor want =
          all.narrow(0, prompt_tokens - 1, all.size(0) - prompt_tokens + 1);
      ASSERT_EQ(got.sizes(), want.sizes()) << what;
      EXPECT_LT((got - want).abs().max().item<double>(), tolerance)
          << what << ", sequence " << s;
    }
  }
}

// float32: twenty times what the absorbed form differs by (some 1e-6).
TEST(DecodeAheadTest, OverTheCacheEqualsThePackedHead) {
  for (const std::string family : {"deepseek_v3", "deepseek_v32", "qwen3"}) {
    for (const int threads : {1, 3}) {
      at::set_num_threads(threads);
      ExpectAheadEqualsPacked(*MakeAhead(family), 2e-5, family);
    }
  }
  at::set_num_threads(1);
}

// What CUDA runs; float64, so that rounding explains nothing above 1e-12.
TEST(DecodeAheadTest, OnLibTorchLikewise) {
  for (const std::string family : {"deepseek_v3", "deepseek_v32", "qwen3"}) {
    ExpectAheadEqualsPacked(*MakeAhead(family, at::kDouble), 1e-6, family);
  }
}

TEST(DecodeAheadTest, AModelOrACacheWithoutTheHeadThrows) {
  const auto ahead = MakeAhead("deepseek_v3");
  const auto plain = MakeTinyModel();
  const AheadRows rows = {.hidden = at::zeros({1, 48}),
                          .tokens = at::zeros({1}, at::kLong),
                          .positions = at::zeros({1}, at::kLong),
                          .slots = at::zeros({1, 1}, at::kInt),
                          .wanted = at::zeros({1}, at::kLong)};
  SamplerCache with(*ahead, 1, 4, {});
  SamplerCache without(*plain, 1, 4, {});
  EXPECT_NO_THROW(ahead->DecodeAhead(rows, with.cache()));
  EXPECT_THROW(ahead->DecodeAhead(rows, without.cache()), c10::Error);
  EXPECT_THROW(plain->DecodeAhead(rows, with.cache()), c10::Error);
}

TEST(KvCacheTest, CopiesABlockOfTheHead) {
  auto cache = KvCache::Create(TinyConfig(), 3, 4, at::kFloat, at::kCPU,
                               /*ahead=*/true);
  ASSERT_TRUE(cache.ok());
  cache->ahead().fill_(0);
  cache->ahead().select(0, 1).fill_(5);
  cache->CopyBlock(1, 2);
  EXPECT_TRUE((cache->ahead().select(0, 2) == 5).all().item<bool>());
  EXPECT_TRUE((cache->ahead().select(0, 0) == 0).all().item<bool>());
}

}  // namespace
}  // namespace cohort
