// Against what transformers computes from the same weights. Tolerances are the
// fixtures' own: 1e-4 of the largest magnitude, where transformers' own
// attention variants differ by up to 2.6e-5.
#include <gtest/gtest.h>
#include <torch/types.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "model/checkpoint.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/stored_tensors.h"
#include "tests/testing/tiny_model.h"

namespace cohort {
namespace {

constexpr double kRelative = 1e-4;
constexpr double kGradientNorm = 1e-3;

// Folders in tests/data/parity, and those in the folder that the environment
// variable COHORT_PARITY_DIR names, if it is set: the complete set of fixtures
// is too large to carry along.
std::vector<std::string> FixtureFolders() {
  std::vector<std::string> roots = {"tests/data/parity"};
  if (const char* more = std::getenv("COHORT_PARITY_DIR")) {
    roots.push_back(more);
  }
  std::vector<std::string> folders;
  for (const std::string& root : roots) {
    for (const auto& entry : std::filesystem::directory_iterator(root)) {
      const std::string folder = entry.path().string();
      const auto config = LoadModelConfig(folder + "/fp32");
      if (config.ok()) folders.push_back(folder);
    }
  }
  std::sort(folders.begin(), folders.end());
  return folders;
}

std::string FixtureName(const testing::TestParamInfo<std::string>& info) {
  const std::string name = std::filesystem::path(info.param).filename();
  return (info.param.starts_with("tests/data") ? "" : "full_") + name;
}

std::unique_ptr<Transformer> LoadFolder(const std::string& folder) {
  const absl::StatusOr<ModelConfig> config = LoadModelConfig(folder);
  COHORT_EXPECT_OK(config);
  auto model = Transformer::Create(*config, at::kFloat, at::kCPU);
  COHORT_EXPECT_OK(model);
  COHORT_EXPECT_OK(LoadWeights(folder, model->get()));
  return *std::move(model);
}

void ExpectNear(const at::Tensor& got, const at::Tensor& want,
                const std::string& what) {
  ASSERT_EQ(got.sizes(), want.sizes()) << what;
  const double scale = want.abs().max().item<double>();
  const double gap = (got - want).abs().max().item<double>();
  EXPECT_LE(gap, kRelative * scale) << what << ", scale " << scale;
}

// What `to` has, from the same names of `from`.
void CopyWeights(const Transformer& from, Transformer* to) {
  std::map<std::string, at::Tensor> weights;
  for (const NamedTensor& view : from.HfTensors()) {
    weights[view.name] = view.tensor;
  }
  for (const NamedTensor& view : to->HfTensors()) {
    view.tensor.copy_(weights.at(view.name));
  }
  to->WeightsChanged();
}

class ParityTest : public testing::TestWithParam<std::string> {
 protected:
  ParityTest()
      : folder_(GetParam()),
        reference_(folder_ + "/reference.safetensors"),
        model_(LoadFolder(folder_ + "/fp32")) {}

  // Exactly the tokens that the reference's indexer selects.
  void ExpectSelected(int s, const std::vector<at::Tensor>& selected) const {
    for (size_t layer = 0; layer < selected.size(); ++layer) {
      const std::string name =
          Name(s, "indexer.layer" + std::to_string(layer) + ".selected");
      EXPECT_TRUE(at::equal(selected[layer], reference_.Get(name))) << name;
    }
    EXPECT_EQ(!selected.empty(),
              reference_.Has(Name(s, "indexer.layer0.selected")));
  }

  static std::string Name(int s, const std::string& what) {
    return "s" + std::to_string(s) + "." + what;
  }

  std::string folder_;
  StoredTensors reference_;
  std::unique_ptr<Transformer> model_;
};

TEST_P(ParityTest, ForwardEqualsTransformers) {
  const at::NoGradGuard no_grad;
  for (int s = 0; s < 3; ++s) {
    const PackedTokens batch =
        PackSequences({reference_.Ids(Name(s, "input_ids"))}, at::kCPU);
    const ForwardResult result = model_->Forward(batch);
    ExpectNear(result.hidden, reference_.Get(Name(s, "hidden.final_norm")),
               Name(s, "hidden.final_norm"));
    ExpectNear(at::linear(result.hidden, model_->Head()),
               reference_.Get(Name(s, "logits")), Name(s, "logits"));
    size_t moe = 0;
    for (int64_t layer = 0; layer < model_->config().num_hidden_layers;
         ++layer) {
      if (!model_->config().IsMoe(layer)) continue;
      const std::string name =
          Name(s, "router.layer" + std::to_string(layer) + ".indices");
      EXPECT_TRUE(
          at::equal(result.routes[moe++].to(at::kInt), reference_.Get(name)))
          << name;
    }
    EXPECT_EQ(moe, result.routes.size());
    ExpectSelected(s, result.selected);
  }
}

// Packed with others, each sequence is what it is alone.
TEST_P(ParityTest, PackedSequencesDoNotSeeEachOther) {
  const at::NoGradGuard no_grad;
  std::vector<std::vector<int32_t>> sequences;
  std::vector<at::Tensor> wanted;
  for (int s = 0; s < 3; ++s) {
    sequences.push_back(reference_.Ids(Name(s, "input_ids")));
    wanted.push_back(reference_.Get(Name(s, "logits")));
  }
  const ForwardResult result =
      model_->Forward(PackSequences(sequences, at::kCPU));
  ExpectNear(at::linear(result.hidden, model_->Head()), at::cat(wanted),
             "packed logits");
}

// The state after layer k, seen through the final norm of a model that ends
// there.
TEST_P(ParityTest, EveryLayerEqualsTransformers) {
  const at::NoGradGuard no_grad;
  ModelConfig config = model_->config();
  const int64_t layers = config.num_hidden_layers;
  for (int64_t last = 0; last < layers; ++last) {
    config.num_hidden_layers = last + 1;
    config.num_nextn_predict_layers = 0;
    auto shorter = Transformer::Create(config, at::kFloat, at::kCPU);
    COHORT_ASSERT_OK(shorter);
    CopyWeights(*model_, shorter->get());
    at::Tensor weight;
    for (const NamedTensor& view : (*shorter)->HfTensors()) {
      if (view.name == "model.norm.weight") weight = view.tensor;
    }
    for (int s = 0; s < 3; ++s) {
      const ForwardResult result = (*shorter)->Forward(
          PackSequences({reference_.Ids(Name(s, "input_ids"))}, at::kCPU));
      const std::string name = Name(s, "hidden.layer" + std::to_string(last));
      const at::Tensor state = reference_.Get(name);
      const at::Tensor normed =
          weight * state *
          (state.square().mean(-1, true) + config.rms_norm_eps).rsqrt();
      ExpectNear(result.hidden, normed, name);
    }
  }
}

TEST_P(ParityTest, GreedyGenerationEqualsTransformers) {
  for (int s = 0; s < 3; ++s) {
    const std::vector<int32_t> prompt = reference_.Ids(Name(s, "input_ids"));
    const std::vector<int32_t> generated = reference_.Ids(Name(s, "generated"));
    std::vector<int32_t> all = prompt;
    all.insert(all.end(), generated.begin(), generated.end() - 1);
    const SamplerRun run =
        RunSampler(*model_, {all}, {static_cast<int64_t>(prompt.size())});
    ASSERT_EQ(run.logits[0].size(), generated.size());
    const at::Tensor logprobs = reference_.Get(Name(s, "generated_logprobs"));
    for (size_t t = 0; t < generated.size(); ++t) {
      // Teacher-forced with the fixture's tokens: each choice is the fixture's.
      EXPECT_EQ(run.logits[0][t].argmax().item<int64_t>(), generated[t])
          << Name(s, "generated") << " at " << t;
      EXPECT_NEAR(run.logits[0][t].log_softmax(-1)[generated[t]].item<double>(),
                  logprobs[static_cast<int64_t>(t)].item<double>(), 9e-4);
    }
  }
}

TEST_P(ParityTest, GradientsEqualTransformers) {
  const nlohmann::json manifest =
      nlohmann::json::parse(std::ifstream(folder_ + "/manifest.json"));
  model_->SetTrainable(true);
  double targets = 0;
  at::Tensor total = at::zeros({});
  for (int s = 0; s < 3; ++s) {
    const std::vector<int32_t> ids = reference_.Ids(Name(s, "input_ids"));
    const PackedTokens batch = PackSequences({ids}, at::kCPU);
    const int64_t count = static_cast<int64_t>(ids.size()) - 1;
    const at::Tensor logprobs =
        at::linear(model_->Forward(batch).hidden.narrow(0, 0, count),
                   model_->Head())
            .log_softmax(-1)
            .gather(1, batch.tokens.narrow(0, 1, count).unsqueeze(1));
    total = total - logprobs.sum();
    targets += static_cast<double>(count);
  }
  const at::Tensor loss = total / targets;
  EXPECT_NEAR(loss.item<double>(), manifest["gradient"]["loss_value"],
              1e-5 * loss.item<double>());
  loss.backward();

  std::map<const void*, at::Tensor> gradients;  // By storage of the leaf.
  for (const NamedTensor& leaf : model_->Parameters()) {
    ASSERT_TRUE(leaf.tensor.grad().defined()) << leaf.name;
    gradients[leaf.tensor.storage().data()] = leaf.tensor.grad();
  }
  const auto& norms = manifest["gradient"]["all_norms"];
  size_t compared = 0;
  for (const NamedTensor& view : model_->HfTensors()) {
    if (!norms.contains(view.name)) continue;
    if (view.name.find(".indexer.") != std::string::npos) {
      // Selecting has no gradient; it is not among the parameters.
      EXPECT_EQ(norms[view.name], 0) << view.name;
      ++compared;
      continue;
    }
    const at::Tensor grad =
        gradients.at(view.tensor.storage().data())
            .as_strided(view.tensor.sizes(), view.tensor.strides(),
                        view.tensor.storage_offset());
    const double norm = norms[view.name];
    EXPECT_NEAR(grad.norm().item<double>(), norm, kGradientNorm * norm)
        << view.name;
    ++compared;
    const std::string first = "grad." + view.name + ".first16";
    if (!reference_.Has(first)) continue;
    const at::Tensor want = reference_.Get(first);
    const at::Tensor got = grad.flatten().narrow(0, 0, want.size(0));
    const double floor =
        1e-3 * norm / std::sqrt(static_cast<double>(grad.numel()));
    EXPECT_TRUE(
        ((got - want).abs() <= floor + 1e-3 * want.abs()).all().item<bool>())
        << first;
  }
  EXPECT_EQ(compared, norms.size());
}

INSTANTIATE_TEST_SUITE_P(Fixtures, ParityTest,
                         testing::ValuesIn(FixtureFolders()), FixtureName);

// bf16 weights, as transformers saves them and in shards with a config as the
// models are published, computed in float32.
TEST(ReleaseStyleTest, WidenedWeightsGiveTheSameLogits) {
  const at::NoGradGuard no_grad;
  int compared = 0;
  for (const std::string& folder : FixtureFolders()) {
    for (const char* form : {"/bf16", "/bf16_sharded_release_style"}) {
      if (!std::filesystem::exists(folder + form)) continue;
      const StoredTensors reference(folder + "/reference_bf16.safetensors");
      // The same tokens as in the float32 fixture.
      const StoredTensors tokens(folder + "/reference.safetensors");
      const auto model = LoadFolder(folder + form);
      for (int s = 0; s < 3; ++s) {
        const std::string prefix = "s" + std::to_string(s);
        const ForwardResult result = model->Forward(
            PackSequences({tokens.Ids(prefix + ".input_ids")}, at::kCPU));
        ExpectNear(at::linear(result.hidden, model->Head()),
                   reference.Get(prefix + ".logits"),
                   folder + form + " " + prefix);
      }
      ++compared;
    }
  }
  EXPECT_GT(compared, 0);
}

}  // namespace
}  // namespace cohort
