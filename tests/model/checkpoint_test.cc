#include "model/checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/types.h>

#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>

#include "model/safetensors.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temp_dir.h"
#include "tests/testing/tiny_model.h"

namespace cohort {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr char kMoon[] = "tests/data/parity/deepseek_v3_moon";

std::unique_ptr<Transformer> EmptyTiny() {
  auto model = Transformer::Create(TinyConfig(), at::kFloat, at::kCPU);
  COHORT_EXPECT_OK(model);
  return *std::move(model);
}

// A folder saved from a tiny model, after `change` to its tensors.
struct Stored {
  std::string name;
  std::vector<int64_t> shape;
  std::vector<float> values;
  Dtype dtype = Dtype::kF32;
};
void WriteTiny(const TempDir& folder,
               const std::function<void(std::vector<Stored>*)>& change) {
  const auto model = MakeTinyModel();
  std::vector<Stored> stored;
  for (const NamedTensor& view : model->HfTensors()) {
    const at::Tensor flat = view.tensor.contiguous();
    stored.push_back({view.name,
                      view.tensor.sizes().vec(),
                      {flat.const_data_ptr<float>(),
                       flat.const_data_ptr<float>() + flat.numel()}});
  }
  change(&stored);
  std::vector<TensorToStore> tensors;
  for (const Stored& s : stored) {
    tensors.push_back({s.name, s.dtype, s.shape, [&s] {
                         return std::string_view(
                             reinterpret_cast<const char*>(s.values.data()),
                             4 * s.values.size());
                       }});
  }
  COHORT_ASSERT_OK(WriteSafetensors(folder / "model.safetensors", tensors));
}

TEST(CheckpointTest, WhatIsSavedIsLoadedBitForBit) {
  const TempDir folder;
  const auto model = MakeTinyModel(3);
  COHORT_ASSERT_OK(SaveFolder(*model, TinyConfigJson(), "", folder / "a"));
  const auto config = LoadModelConfig(folder / "a");
  COHORT_ASSERT_OK(config);
  EXPECT_EQ(ModelHash(*config), ModelHash(TinyConfig()));
  const auto loaded = EmptyTiny();
  COHORT_ASSERT_OK(LoadWeights(folder / "a", loaded.get()));
  const auto want = model->HfTensors();
  const auto got = loaded->HfTensors();
  for (size_t i = 0; i < want.size(); ++i) {
    EXPECT_TRUE(at::equal(got[i].tensor, want[i].tensor)) << want[i].name;
  }
}

TEST(CheckpointTest, MissingFoldersAndFilesAreNotFound) {
  const TempDir folder;
  EXPECT_THAT(LoadModelConfig(folder.path()),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("/config.json")));
  EXPECT_THAT(LoadWeights(folder.path(), EmptyTiny().get()),
              StatusIs(absl::StatusCode::kNotFound,
                       AllOf(HasSubstr(folder.path()),
                             HasSubstr("neither model.safetensors"))));
}

TEST(CheckpointTest, TruncatedAndForeignFilesAreNamed) {
  const TempDir folder;
  const auto model = MakeTinyModel();
  COHORT_ASSERT_OK(SaveFolder(*model, TinyConfigJson(), "", folder.path()));
  const std::string path = folder / "model.safetensors";
  std::filesystem::resize_file(path, std::filesystem::file_size(path) - 100);
  EXPECT_THAT(LoadWeights(folder.path(), EmptyTiny().get()),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr(path), HasSubstr("truncated"))));
  folder.Write("model.safetensors", "\x89PNG\r\n\x1a\n a picture");
  EXPECT_THAT(LoadWeights(folder.path(), EmptyTiny().get()),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr(path), HasSubstr("not safetensors"))));
}

TEST(CheckpointTest, AllWrongTensorsAreListed) {
  const TempDir folder;
  WriteTiny(folder, [](std::vector<Stored>* stored) {
    stored->at(0).name = "lm_tail.weight";
    stored->at(1).shape = {48, 37};
  });
  EXPECT_THAT(
      LoadWeights(folder.path(), EmptyTiny().get()),
      StatusIs(absl::StatusCode::kInvalidArgument,
               AllOf(HasSubstr("missing: lm_head.weight"),
                     HasSubstr("unexpected: lm_tail.weight"),
                     HasSubstr("wrong shape: model.embed_tokens.weight is "
                               "[48, 37], the config makes [37, 48]"))));
}

TEST(CheckpointTest, WeightsThatAreNotFiniteAreCountedAndRefused) {
  const TempDir folder;
  WriteTiny(folder, [](std::vector<Stored>* stored) {
    stored->at(2).values[5] = std::numeric_limits<float>::quiet_NaN();
    stored->at(2).values[7] = std::numeric_limits<float>::infinity();
    stored->at(0).values[1] = -std::numeric_limits<float>::infinity();
  });
  EXPECT_THAT(
      LoadWeights(folder.path(), EmptyTiny().get()),
      StatusIs(absl::StatusCode::kInvalidArgument,
               HasSubstr("not finite: lm_head.weight (1 of 1776), "
                         "model.layers.0.input_layernorm.weight (2 of 48)")));
  const auto model = EmptyTiny();
  COHORT_EXPECT_OK(
      LoadWeights(folder.path(), model.get(), {.allow_nonfinite = true}));
  EXPECT_TRUE(model->Head().isinf().any().item<bool>());
}

TEST(CheckpointTest, IntegerWeightsAreUnsupported) {
  const TempDir folder;
  WriteTiny(folder, [](std::vector<Stored>* stored) {
    stored->at(0).dtype = Dtype::kI32;
  });
  EXPECT_THAT(LoadWeights(folder.path(), EmptyTiny().get()),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("unsupported dtype: lm_head.weight is I32")));
}

// Straight to the dtype computed in; the router's weights stay float32.
TEST(CheckpointTest, ABfloat16ModelTakesEachValueRounded) {
  const TempDir folder;
  WriteTiny(folder, [](std::vector<Stored>*) {});
  const auto wide = EmptyTiny();
  COHORT_ASSERT_OK(LoadWeights(folder.path(), wide.get()));
  auto narrow = Transformer::Create(TinyConfig(), at::kBFloat16, at::kCPU);
  COHORT_ASSERT_OK(narrow);
  COHORT_ASSERT_OK(LoadWeights(folder.path(), narrow->get()));
  const auto want = wide->HfTensors();
  const auto got = (*narrow)->HfTensors();
  for (size_t i = 0; i < want.size(); ++i) {
    EXPECT_TRUE(at::equal(got[i].tensor,
                          want[i].tensor.to(got[i].tensor.scalar_type())))
        << want[i].name;
  }
}

// Any dtype of the model, through float32.
TEST(CheckpointTest, AFloat64ModelTakesTheSameValues) {
  const TempDir folder;
  WriteTiny(folder, [](std::vector<Stored>*) {});
  const auto wide = EmptyTiny();
  COHORT_ASSERT_OK(LoadWeights(folder.path(), wide.get()));
  auto wider = Transformer::Create(TinyConfig(), at::kDouble, at::kCPU);
  COHORT_ASSERT_OK(wider);
  COHORT_ASSERT_OK(LoadWeights(folder.path(), wider->get()));
  EXPECT_TRUE(at::equal((*wider)->Head().to(at::kFloat), wide->Head()));
}

// Buffers that transformers once saved beside the weights.
TEST(CheckpointTest, OldRotaryTablesAreIgnored) {
  const TempDir folder;
  WriteTiny(folder, [](std::vector<Stored>* stored) {
    stored->push_back(
        {"model.layers.0.self_attn.rotary_emb.inv_freq", {1}, {1}});
  });
  COHORT_EXPECT_OK(LoadWeights(folder.path(), EmptyTiny().get()));
}

TEST(CheckpointTest, AnotherModelsWeightsAreAShortError) {
  const absl::Status status =
      LoadWeights(std::string(kMoon) + "/fp32", EmptyTiny().get());
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kInvalidArgument,
                               AllOf(HasSubstr("wrong shape: lm_head.weight"),
                                     HasSubstr("more"))));
  EXPECT_LT(status.message().size(), 4000u);
}

// The layer after the last is the multi-token prediction head's only where the
// config speaks of one.
TEST(CheckpointTest, LayersBeyondTheConfigAreUnexpected) {
  const TempDir folder;
  WriteTiny(folder, [](std::vector<Stored>* stored) {
    stored->push_back({"model.layers.3.eh_proj.weight", {1}, {1}});
  });
  EXPECT_THAT(LoadWeights(folder.path(), EmptyTiny().get()),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("unexpected: model.layers.3.eh_proj.weight")));
  ModelConfig config = TinyConfig();
  config.num_nextn_predict_layers = 1;
  auto model = Transformer::Create(config, at::kFloat, at::kCPU);
  COHORT_ASSERT_OK(model);
  EXPECT_THAT(
      LoadWeights(folder.path(), model->get()),
      StatusIs(absl::StatusCode::kInvalidArgument,
               AllOf(HasSubstr("missing: model.layers.3.enorm.weight, "),
                     HasSubstr("wrong shape: model.layers.3.eh_proj.weight is "
                               "[1], the config makes [48, 96]"))));
}

class ShardsTest : public testing::Test {
 protected:
  // Two shards and their index, after `change`.
  absl::Status LoadWith(const std::function<void(nlohmann::json*)>& change) {
    const std::string source =
        std::string(kMoon) + "/bf16_sharded_release_style";
    for (const auto& file : std::filesystem::directory_iterator(source)) {
      std::filesystem::copy(file, folder_.path());
    }
    const std::string index = folder_ / "model.safetensors.index.json";
    auto root = nlohmann::json::parse(TempDir::Read(index));
    change(&root);
    folder_.Write("model.safetensors.index.json", root.dump());
    const auto config = LoadModelConfig(folder_.path());
    COHORT_EXPECT_OK(config);
    auto model = Transformer::Create(*config, at::kFloat, at::kCPU);
    COHORT_EXPECT_OK(model);
    return LoadWeights(folder_.path(), model->get());
  }

  TempDir folder_;
};

TEST_F(ShardsTest, AreLoadedTogether) {
  COHORT_EXPECT_OK(LoadWith([](nlohmann::json*) {}));
}

TEST_F(ShardsTest, AMissingShardIsNamed) {
  EXPECT_THAT(
      LoadWith([&](nlohmann::json*) {
        std::filesystem::remove(folder_ / "model-00002-of-000004.safetensors");
      }),
      StatusIs(absl::StatusCode::kNotFound,
               AllOf(HasSubstr("missing: model-00002-of-000004.safetensors ("),
                     HasSubstr(" tensors)"))));
}

TEST_F(ShardsTest, ATensorInTwoShardsIsNamed) {
  EXPECT_THAT(LoadWith([&](nlohmann::json* root) {
                std::filesystem::copy_file(
                    folder_ / "model-00001-of-000004.safetensors",
                    folder_ / "again.safetensors");
                (*root)["weight_map"]["model.norm.weight"] =
                    "again.safetensors";
              }),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("duplicated: "),
                             HasSubstr("missing from again.safetensors: "
                                       "model.norm.weight"))));
}

TEST_F(ShardsTest, AnIndexThatLeavesTheFolderIsRefused) {
  EXPECT_THAT(LoadWith([](nlohmann::json* root) {
                (*root)["weight_map"]["model.norm.weight"] = "../x";
              }),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("model.norm.weight lies in \"../x\"")));
}

TEST_F(ShardsTest, AnIndexWithAnImpossibleSizeIsRefused) {
  EXPECT_THAT(LoadWith([](nlohmann::json* root) {
                (*root)["metadata"]["total_size"] = -1;
              }),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("total_size -1 is no number of bytes")));
}

// As transformers does, which looks for it first.
TEST_F(ShardsTest, TheSingleFileIsReadWhereThereAreBoth) {
  folder_.Write("model.safetensors", "no safetensors");
  EXPECT_THAT(LoadWith([](nlohmann::json*) {}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("/model.safetensors: ")));
}

TEST_F(ShardsTest, AnIndexWithoutAMapIsRefused) {
  EXPECT_THAT(LoadWith([](nlohmann::json* root) { root->erase("weight_map"); }),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("no object weight_map")));
}

}  // namespace
}  // namespace cohort
