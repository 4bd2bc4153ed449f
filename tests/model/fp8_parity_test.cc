// A checkpoint whose weights are FP8 in partial blocks, against float32
// arithmetic on weights that were dequantised to float32: rounding them to
// bfloat16 on the way moves these logits by 3.6, 4000 times the tolerance.
#include <gtest/gtest.h>
#include <torch/types.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "model/checkpoint.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/stored_tensors.h"
#include "tests/testing/temp_dir.h"
#include "tests/testing/tiny_model.h"

namespace cohort {
namespace {

constexpr char kFolder[] = "tests/data/parity/deepseek_v3_fp8";
constexpr double kRelative = 1e-4;  // As the fixture's manifest.

std::unique_ptr<Transformer> Load(at::ScalarType dtype) {
  const std::string folder = std::string(kFolder) + "/fp8_sharded";
  const auto config = LoadModelConfig(folder);
  COHORT_EXPECT_OK(config);
  auto model = Transformer::Create(*config, dtype, at::kCPU);
  COHORT_EXPECT_OK(model);
  COHORT_EXPECT_OK(LoadWeights(folder, model->get()));
  return *std::move(model);
}

at::Tensor Weight(const Transformer& model, const std::string& name) {
  for (const NamedTensor& view : model.HfTensors()) {
    if (view.name == name) return view.tensor;
  }
  ADD_FAILURE() << "no " << name;
  return at::Tensor();
}

class Fp8ParityTest : public testing::Test {
 protected:
  Fp8ParityTest()
      : reference_(std::string(kFolder) + "/reference.safetensors") {}

  static std::string Name(int s, const std::string& what) {
    return "s" + std::to_string(s) + "." + what;
  }

  StoredTensors reference_;
};

// First and last rows of matrices with a partial block at the lower or right
// edge, bit for bit.
TEST_F(Fp8ParityTest, WeightsAreCodeTimesScale) {
  const auto model = Load(at::kFloat);
  for (const char* const name :
       {"model.layers.0.mlp.gate_proj.weight",
        "model.layers.1.mlp.experts.0.down_proj.weight",
        "model.layers.1.self_attn.kv_a_proj_with_mqa."
        "weight"}) {
    const at::Tensor weight = Weight(*model, name);
    const at::Tensor want =
        reference_.Get(std::string("dequant.") + name + ".first4_last2_rows");
    const at::Tensor got = at::cat(
        {weight.narrow(0, 0, 4), weight.narrow(0, weight.size(0) - 2, 2)});
    EXPECT_TRUE(at::equal(got, want)) << name;
  }
}

TEST_F(Fp8ParityTest, Bfloat16IsRoundedFromTheProduct) {
  const std::string name = "model.layers.0.mlp.gate_proj.weight";
  EXPECT_TRUE(at::equal(Weight(*Load(at::kBFloat16), name),
                        Weight(*Load(at::kFloat), name).to(at::kBFloat16)));
}

TEST_F(Fp8ParityTest, LogitsAndRoutesEqualTheReference) {
  const at::NoGradGuard no_grad;
  const auto model = Load(at::kFloat);
  for (int s = 0; s < 3; ++s) {
    const ForwardResult result = model->Forward(
        PackSequences({reference_.Ids(Name(s, "input_ids"))}, at::kCPU));
    const at::Tensor want = reference_.Get(Name(s, "logits"));
    const at::Tensor got = at::linear(result.hidden, model->Head());
    EXPECT_LE((got - want).abs().max().item<double>(),
              kRelative * want.abs().max().item<double>());
    EXPECT_TRUE(at::equal(result.routes[0].to(at::kInt),
                          reference_.Get(Name(s, "router.layer1.indices"))));
  }
}

TEST_F(Fp8ParityTest, GreedyGenerationEqualsTheReference) {
  const auto model = Load(at::kFloat);
  for (int s = 0; s < 3; ++s) {
    const std::vector<int32_t> prompt = reference_.Ids(Name(s, "input_ids"));
    const std::vector<int32_t> generated = reference_.Ids(Name(s, "generated"));
    std::vector<int32_t> all = prompt;
    all.insert(all.end(), generated.begin(), generated.end() - 1);
    const SamplerRun run =
        RunSampler(*model, {all}, {static_cast<int64_t>(prompt.size())});
    for (size_t t = 0; t < generated.size(); ++t) {
      EXPECT_EQ(run.logits[0][t].argmax().item<int64_t>(), generated[t])
          << Name(s, "generated") << " at " << t;
    }
  }
}

// What is saved is float32, and says so.
TEST_F(Fp8ParityTest, ASavedFolderIsNoLongerQuantised) {
  const TempDir folder;
  const auto model = Load(at::kFloat);
  const std::string source = std::string(kFolder) + "/fp8_sharded";
  COHORT_ASSERT_OK(SaveFolder(*model, TempDir::Read(source + "/config.json"),
                              source, folder / "m"));
  const auto saved =
      nlohmann::json::parse(TempDir::Read(folder / "m/config.json"));
  EXPECT_FALSE(saved.contains("quantization_config"));
  const auto config = LoadModelConfig(folder / "m");
  COHORT_ASSERT_OK(config);
  auto loaded = Transformer::Create(*config, at::kFloat, at::kCPU);
  COHORT_ASSERT_OK(loaded);
  COHORT_ASSERT_OK(LoadWeights(folder / "m", loaded->get()));
  const std::string name = "model.layers.0.mlp.gate_proj.weight";
  EXPECT_TRUE(at::equal(Weight(**loaded, name), Weight(*model, name)));
}

// Each is refused by name.
class BrokenFp8Test : public testing::Test {
 protected:
  absl::Status LoadWith(const std::function<void(nlohmann::json*)>& change) {
    const std::string source = std::string(kFolder) + "/fp8_sharded";
    std::filesystem::copy(source, folder_.path(),
                          std::filesystem::copy_options::recursive);
    auto root = nlohmann::json::parse(TempDir::Read(folder_ / "config.json"));
    change(&root);
    folder_.Write("config.json", root.dump());
    const auto config = LoadModelConfig(folder_.path());
    if (!config.ok()) return config.status();
    auto model = Transformer::Create(*config, at::kFloat, at::kCPU);
    COHORT_EXPECT_OK(model);
    return LoadWeights(folder_.path(), model->get());
  }

  TempDir folder_;
};

TEST_F(BrokenFp8Test, AnotherBlockSizeDoesNotFitTheScales) {
  EXPECT_THAT(
      LoadWith([](nlohmann::json* root) {
        (*root)["quantization_config"]["weight_block_size"] = {64, 128};
      }),
      StatusIs(absl::StatusCode::kInvalidArgument,
               testing::HasSubstr("gate_proj.weight_scale_inv is [3, 3], the "
                                  "config makes [5, 3]")));
}

TEST_F(BrokenFp8Test, WithoutAQuantizationConfig) {
  EXPECT_THAT(LoadWith([](nlohmann::json* root) {
                root->erase("quantization_config");
              }),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       testing::HasSubstr("has no quantization_config: ")));
}

TEST_F(BrokenFp8Test, AnotherMethodIsNotSupported) {
  EXPECT_THAT(LoadWith([](nlohmann::json* root) {
                (*root)["quantization_config"]["quant_method"] = "awq";
              }),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       testing::HasSubstr("quantization_config: quant_method "
                                          "\"awq\" is not supported")));
}

}  // namespace
}  // namespace cohort
