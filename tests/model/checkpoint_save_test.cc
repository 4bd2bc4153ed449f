#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/types.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "model/checkpoint.h"
#include "model/safetensors.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temp_dir.h"
#include "tests/testing/tiny_model.h"

namespace cohort {
namespace {

using nlohmann::json;
using testing::HasSubstr;

constexpr char kMoon[] = "tests/data/parity/deepseek_v3_moon";

json ReadJson(const std::string& path) {
  return json::parse(TempDir::Read(path));
}

std::unique_ptr<Transformer> LoadTiny(const std::string& folder) {
  auto model = Transformer::Create(TinyConfig(), at::kFloat, at::kCPU);
  COHORT_EXPECT_OK(model);
  COHORT_EXPECT_OK(LoadWeights(folder, model->get()));
  return *std::move(model);
}

TEST(SaveFolderTest, ASavedFolderCarriesTheTokenizerAndSaysFloat32) {
  const TempDir folder;
  folder.Write("tokenizer.json", "{}");
  const auto config =
      LoadModelConfig(std::string(kMoon) + "/bf16_sharded_release_style");
  COHORT_ASSERT_OK(config);
  auto model = Transformer::Create(*config, at::kFloat, at::kCPU);
  COHORT_ASSERT_OK(model);
  COHORT_ASSERT_OK(LoadWeights(
      std::string(kMoon) + "/bf16_sharded_release_style", model->get()));
  COHORT_ASSERT_OK(
      SaveFolder(**model,
                 TempDir::Read(std::string(kMoon) +
                               "/bf16_sharded_release_style/config.json"),
                 folder.path(), folder / "out"));
  EXPECT_EQ(TempDir::Read(folder / "out/tokenizer.json"), "{}");
  const auto saved = ReadJson(folder / "out/config.json");
  EXPECT_EQ(saved["torch_dtype"], "float32");
  EXPECT_EQ(saved["dtype"], "float32");
  EXPECT_EQ(saved["aux_loss_alpha"], 0.001);  // What we do not read is kept.
  const auto generation = ReadJson(folder / "out/generation_config.json");
  EXPECT_EQ(generation["eos_token_id"], 1);
}

TEST(SaveFolderTest, TheFoldersOwnCompanionsAreCarriedAlong) {
  const TempDir folder;
  folder.Write("chat_template.jinja", "{{ messages }}");
  folder.Write("generation_config.json", R"({"eos_token_id": [1, 5]})");
  COHORT_ASSERT_OK(SaveFolder(*MakeTinyModel(), TinyConfigJson(), folder.path(),
                              folder / "out"));
  EXPECT_EQ(TempDir::Read(folder / "out/chat_template.jinja"),
            "{{ messages }}");
  EXPECT_EQ(TempDir::Read(folder / "out/generation_config.json"),
            R"({"eos_token_id": [1, 5]})");
}

TEST(SaveFolderTest, ShardsHoldAtMostTheirSizeAndAllThatTheIndexNames) {
  const TempDir folder;
  const auto model = MakeTinyModel(3);
  constexpr int64_t kMost = 40'000;
  COHORT_ASSERT_OK(SaveFolder(*model, TinyConfigJson(), "", folder / "m",
                              {.shard_bytes = kMost}));
  EXPECT_FALSE(std::filesystem::exists(folder / "m/model.safetensors"));
  const json index = ReadJson(folder / "m/model.safetensors.index.json");
  std::map<std::string, std::unique_ptr<SafetensorsFile>> shards;
  int64_t total = 0;
  for (const auto& [name, shard] : index["weight_map"].items()) {
    auto& file = shards[shard];
    if (file == nullptr) {
      file = *SafetensorsFile::Open(folder / ("m/" + std::string(shard)));
      int64_t bytes = 0;
      for (const StoredTensor& tensor : file->tensors()) {
        bytes += static_cast<int64_t>(tensor.bytes.size());
      }
      EXPECT_LE(bytes, kMost);
      total += bytes;
    }
    EXPECT_NE(file->Find(name), nullptr) << name;
  }
  EXPECT_EQ(index["metadata"]["total_size"], total);
  EXPECT_EQ(index["weight_map"].size(), model->HfTensors().size());
  EXPECT_THAT(shards.begin()->first,
              testing::MatchesRegex("model-00001-of-0001[0-9].safetensors"));
  const auto loaded = LoadTiny(folder / "m");
  const auto want = model->HfTensors();
  const auto got = loaded->HfTensors();
  for (size_t i = 0; i < want.size(); ++i) {
    EXPECT_TRUE(at::equal(got[i].tensor, want[i].tensor)) << want[i].name;
  }
}

// A tensor above the limit is a shard of its own.
TEST(SaveFolderTest, AnyLimitWorks) {
  const TempDir folder;
  const auto model = MakeTinyModel(3);
  COHORT_ASSERT_OK(SaveFolder(*model, TinyConfigJson(), "", folder / "m",
                              {.shard_bytes = 1}));
  const auto loaded = LoadTiny(folder / "m");
  EXPECT_TRUE(at::equal(loaded->Head(), model->Head()));
}

TEST(SaveFolderTest, Bfloat16KeepsTheCorrectionBiasInFloat32) {
  const TempDir folder;
  const auto model = MakeTinyModel(3);
  COHORT_ASSERT_OK(SaveFolder(*model, TinyConfigJson(), "", folder / "m",
                              {.dtype = "bfloat16"}));
  EXPECT_EQ(ReadJson(folder / "m/config.json")["torch_dtype"], "bfloat16");
  const auto file = SafetensorsFile::Open(folder / "m/model.safetensors");
  COHORT_ASSERT_OK(file);
  for (const StoredTensor& tensor : (*file)->tensors()) {
    const bool bias =
        tensor.name.find("e_score_correction_bias") != std::string::npos;
    EXPECT_EQ(tensor.dtype, bias ? Dtype::kF32 : Dtype::kBf16) << tensor.name;
  }
  const auto loaded = LoadTiny(folder / "m");
  EXPECT_TRUE(at::equal(loaded->Head(),
                        model->Head().to(at::kBFloat16).to(at::kFloat)));
}

TEST(SaveFolderTest, AnotherDtypeIsRefused) {
  const TempDir folder;
  EXPECT_THAT(SaveFolder(*MakeTinyModel(), TinyConfigJson(), "", folder / "m",
                         {.dtype = "float16"}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("\"float16\" is neither")));
}

}  // namespace
}  // namespace cohort
