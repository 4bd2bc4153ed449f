#include "model/model_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "tests/testing/status_matchers.h"

namespace cohort {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;

std::string ReadFile(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

json GoodConfig() {
  return json::parse(
      ReadFile("tests/data/parity/deepseek_v3/release_style/config.json"));
}

// DeepSeek-V3's published config.json.
json PublishedConfig() {
  json config = GoodConfig();
  config.update(json::parse(R"({
    "vocab_size": 129280, "hidden_size": 7168, "intermediate_size": 18432,
    "moe_intermediate_size": 2048, "num_hidden_layers": 61,
    "first_k_dense_replace": 3, "num_attention_heads": 128,
    "num_key_value_heads": 128, "q_lora_rank": 1536, "kv_lora_rank": 512,
    "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "v_head_dim": 128,
    "n_routed_experts": 256, "n_shared_experts": 1, "num_experts_per_tok": 8,
    "n_group": 8, "topk_group": 4, "max_position_embeddings": 163840})"));
  return config;
}

TEST(ModelConfigTest, BothStylesOfTransformersGiveTheSameModel) {
  const auto release = ParseModelConfig(GoodConfig().dump(), "release");
  const auto current = ParseModelConfig(
      ReadFile("tests/data/parity/deepseek_v3/fp32/config.json"), "current");
  COHORT_ASSERT_OK(release);
  COHORT_ASSERT_OK(current);
  EXPECT_EQ(ModelHash(*release), ModelHash(*current));
  EXPECT_EQ(release->dtype, "bfloat16");
  EXPECT_EQ(current->dtype, "float32");
  EXPECT_EQ(current->rope.factor, 4);
  EXPECT_EQ(current->rope.original_max_position_embeddings, 64);
  EXPECT_EQ(current->router.groups_per_token, 2);
  EXPECT_EQ(current->MoeLayers(), 2);
  EXPECT_THAT(current->eos_token_ids, testing::ElementsAre(1));
}

TEST(ModelConfigTest, ReadsAModelWithoutQueryRank) {
  const auto config = ParseModelConfig(
      ReadFile("tests/data/parity/deepseek_v3_moon/fp32/config.json"), "moon");
  COHORT_ASSERT_OK(config);
  EXPECT_EQ(config->q_lora_rank, 0);
  EXPECT_FALSE(config->rope.interleave);
  EXPECT_EQ(config->rope.theta, 50000);
  EXPECT_EQ(config->rope.factor, 1);
  EXPECT_EQ(config->n_shared_experts, 2);
}

TEST(ModelConfigTest, CountsThePublishedParameters) {
  const auto config = ParseModelConfig(PublishedConfig().dump(), "v3");
  COHORT_ASSERT_OK(config);
  const json counts =
      json::parse(ReadFile("tests/data/deepseek_param_counts.json"));
  EXPECT_EQ(config->ParameterCount(),
            counts["DeepSeek-V3 main model"]["total"]);
}

// V2-Lite's published shape; 15.7 billion are published.
TEST(ModelConfigTest, CountsThePublishedParametersOfV2Lite) {
  json config = GoodConfig();
  config.update(json::parse(R"({"model_type": "deepseek_v2",
    "scoring_func": "softmax", "topk_method": "greedy",
    "vocab_size": 102400, "hidden_size": 2048, "intermediate_size": 10944,
    "moe_intermediate_size": 1408, "num_hidden_layers": 27,
    "first_k_dense_replace": 1, "num_attention_heads": 16,
    "num_key_value_heads": 16, "q_lora_rank": null, "kv_lora_rank": 512,
    "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "v_head_dim": 128,
    "n_routed_experts": 64, "n_shared_experts": 2, "num_experts_per_tok": 6,
    "max_position_embeddings": 163840})"));
  const auto parsed = ParseModelConfig(config.dump(), "lite");
  COHORT_ASSERT_OK(parsed);
  EXPECT_EQ(parsed->ParameterCount(), 15706484224);
}

TEST(ModelConfigTest, TheHashSeesEveryNumberThatMatters) {
  const auto base = ParseModelConfig(GoodConfig().dump(), "base");
  COHORT_ASSERT_OK(base);
  const std::map<std::string, json> changes = {
      {"vocab_size", 255},          {"rms_norm_eps", 1e-5},
      {"routed_scaling_factor", 2}, {"topk_group", 3},
      {"rope_theta", 10001.0},      {"rope_interleave", false},
      {"norm_topk_prob", false},    {"tie_word_embeddings", true},
      {"q_lora_rank", nullptr},     {"n_shared_experts", 2}};
  for (const auto& [field, value] : changes) {
    json changed = GoodConfig();
    changed[field] = value;
    const auto other = ParseModelConfig(changed.dump(), field);
    COHORT_ASSERT_OK(other);
    EXPECT_NE(ModelHash(*other), ModelHash(*base)) << field;
  }
}

struct BadField {
  std::string field;
  json value;
  std::string message;
};

class BadConfigTest : public testing::TestWithParam<BadField> {};

TEST_P(BadConfigTest, IsNamed) {
  json config = GoodConfig();
  config[GetParam().field] = GetParam().value;
  EXPECT_THAT(ParseModelConfig(config.dump(), "x/config.json"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("x/config.json: "),
                             HasSubstr(GetParam().message))));
}

INSTANTIATE_TEST_SUITE_P(
    Fields, BadConfigTest,
    testing::Values(
        BadField{"model_type", "deepseek_v4", "model_type \"deepseek_v4\""},
        BadField{"model_type", nullptr, "model_type \"\""},
        BadField{"vocab_size", 0, "vocab_size must be from 1"},
        BadField{"vocab_size", -5, "vocab_size"},
        BadField{"vocab_size", 1e30, "vocab_size must be an integer"},
        BadField{"vocab_size", uint64_t{1} << 63, "vocab_size must be an"},
        BadField{"hidden_size", "48", "hidden_size must be an integer"},
        BadField{"hidden_size", nullptr, "hidden_size is missing"},
        BadField{"hidden_size", 1 << 25, "hidden_size must be from"},
        BadField{"num_hidden_layers", 100000, "num_hidden_layers"},
        BadField{"num_attention_heads", 0, "num_attention_heads must be from"},
        BadField{"num_key_value_heads", 2, "num_key_value_heads"},
        BadField{"qk_rope_head_dim", 7, "qk_rope_head_dim must be even"},
        BadField{"n_group", 3, "n_group 3 does not divide 16"},
        BadField{"topk_group", 5, "topk_group 5 is more than n_group 4"},
        BadField{"num_experts_per_tok", 9, "num_experts_per_tok 9"},
        BadField{"norm_topk_prob", 1, "norm_topk_prob must be true or false"},
        BadField{"hidden_act", "gelu", "hidden_act \"gelu\""},
        BadField{"attention_bias", true, "attention_bias true"},
        BadField{"scoring_func", "softmax", "scoring_func \"softmax\""},
        BadField{"topk_method", "greedy", "topk_method \"greedy\""},
        BadField{"quantization_config", 8, "quantization_config must be"},
        BadField{"quantization_config", json::object(),
                 "quantization_config: quant_method is missing"},
        BadField{"quantization_config",
                 {{"quant_method", "awq"}},
                 "quant_method \"awq\" is not supported"},
        BadField{"quantization_config",
                 {{"quant_method", "fp8"}, {"weight_block_size", {128, 0}}},
                 "weight_block_size must be [rows, columns], is [128,0]"},
        BadField{"rms_norm_eps", -1, "rms_norm_eps"},
        BadField{"eos_token_id", 256, "eos_token_id"},
        BadField{"eos_token_id", {1, "2"}, "eos_token_id"},
        BadField{"rope_theta", 0, "rope_theta"},
        BadField{"rope_scaling", 4, "rope_scaling must be an object"},
        BadField{"rope_scaling",
                 {{"type", "linear"}, {"factor", 2}},
                 "rope_type \"linear\""},
        BadField{"rope_scaling",
                 {{"type", "yarn"}},
                 "rope_scaling: factor is missing"}));

json FamilyConfig(const std::string& name) {
  return json::parse(
      ReadFile("tests/data/parity/" + name + "/fp32/config.json"));
}

struct BadFamilyField {
  std::string family;
  std::string field;
  json value;
  std::string message;
};

class BadFamilyTest : public testing::TestWithParam<BadFamilyField> {};

TEST_P(BadFamilyTest, IsNamed) {
  json config = FamilyConfig(GetParam().family);
  config[GetParam().field] = GetParam().value;
  EXPECT_THAT(ParseModelConfig(config.dump(), "x/config.json"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("x/config.json: "),
                             HasSubstr(GetParam().message))));
}

INSTANTIATE_TEST_SUITE_P(
    Fields, BadFamilyTest,
    testing::Values(
        BadFamilyField{"deepseek_v2", "topk_method", "noaux_tc",
                       "topk_method \"noaux_tc\" is not supported"},
        BadFamilyField{"deepseek_v2", "scoring_func", "sigmoid",
                       "scoring_func \"sigmoid\""},
        BadFamilyField{"deepseek_v2", "rope_interleave", false,
                       "rope_interleave false"},
        BadFamilyField{"deepseek_v32", "q_lora_rank", nullptr,
                       "q_lora_rank is missing"},
        BadFamilyField{"deepseek_v32", "index_topk", 0, "index_topk"},
        BadFamilyField{"deepseek_v32", "index_head_dim", 4,
                       "index_head_dim is less than qk_rope_head_dim"},
        BadFamilyField{"deepseek_v32",
                       "layer_types",
                       {"indexed_attention", "full_attention"},
                       "layer_types holds \"full_attention\""},
        BadFamilyField{"deepseek_v32",
                       "mlp_layer_types",
                       {"sparse", "sparse"},
                       "mlp_layer_types differs"},
        BadFamilyField{"qwen2", "use_sliding_window", true,
                       "use_sliding_window true"},
        BadFamilyField{"qwen2",
                       "layer_types",
                       {"full_attention", "sliding_attention"},
                       "layer_types holds \"sliding_attention\""},
        BadFamilyField{"qwen2", "num_key_value_heads", 4,
                       "num_key_value_heads 4 does not divide 6"},
        BadFamilyField{"qwen3_yarn", "head_dim", 7, "head_dim must be even"},
        BadFamilyField{"qwen3_yarn",
                       "rope_parameters",
                       {{"full_attention", {{"rope_theta", 10000.0}}}},
                       "full_attention is an object"},
        BadFamilyField{"llama3", "hidden_act", "gelu", "hidden_act \"gelu\""},
        BadFamilyField{"llama3", "mlp_bias", true, "mlp_bias true"},
        BadFamilyField{"llama3", "sliding_window", 32,
                       "sliding_window is not supported"},
        BadFamilyField{"llama3", "partial_rotary_factor", 0.5,
                       "partial_rotary_factor 0.5"},
        BadFamilyField{"llama3",
                       "rope_parameters",
                       {{"rope_type", "llama3"},
                        {"factor", 8},
                        {"low_freq_factor", 4},
                        {"high_freq_factor", 4}},
                       "high_freq_factor must be more"},
        BadFamilyField{"llama3",
                       "rope_parameters",
                       {{"rope_type", "longrope"}},
                       "rope_type \"longrope\""}));

TEST(ModelConfigTest, TheHashSeesWhatOtherFamiliesAdd) {
  const std::tuple<std::string, std::string, json> changes[] = {
      {"deepseek_v2", "topk_method", "greedy"},
      {"deepseek_v2", "routed_scaling_factor", 1.5},
      {"deepseek_v32", "index_topk", 13},
      {"deepseek_v32", "index_n_heads", 13},
      {"qwen2", "head_dim", 10},
      {"qwen2", "num_key_value_heads", 3},
      {"qwen3_yarn", "attention_bias", true},
      {"llama3", "attention_bias", true},
      {"llama3", "max_position_embeddings", 1024}};
  for (const auto& [family, field, value] : changes) {
    json config = FamilyConfig(family);
    const auto base = ParseModelConfig(config.dump(), family);
    COHORT_ASSERT_OK(base);
    config[field] = value;
    const auto other = ParseModelConfig(config.dump(), family);
    COHORT_ASSERT_OK(other);
    EXPECT_NE(ModelHash(*other), ModelHash(*base)) << family << " " << field;
  }
}

// Ignored as transformers ignores it: weights are scaled and never divided by
// their sum.
TEST(ModelConfigTest, DeepseekV2NeverNormalisesItsWeights) {
  json config = FamilyConfig("deepseek_v2");
  config["norm_topk_prob"] = true;
  const auto parsed = ParseModelConfig(config.dump(), "v2");
  COHORT_ASSERT_OK(parsed);
  EXPECT_FALSE(parsed->router.normalise);
  EXPECT_EQ(parsed->router.scaling, 16);
}

// What config.json does not say follows from what it says, as in transformers.
TEST(ModelConfigTest, AbsentFieldsHaveTheirDefaults) {
  json config = FamilyConfig("llama3");
  config.erase("head_dim");
  config.erase("num_key_value_heads");
  config["rope_parameters"].erase("original_max_position_embeddings");
  const auto llama = ParseModelConfig(config.dump(), "llama");
  COHORT_ASSERT_OK(llama);
  EXPECT_EQ(llama->head_dim, 8);
  EXPECT_EQ(llama->num_key_value_heads, 6);
  EXPECT_EQ(llama->rope.original_max_position_embeddings, 512);
  config.erase("rope_parameters");
  const auto plain = ParseModelConfig(config.dump(), "llama");
  COHORT_ASSERT_OK(plain);
  EXPECT_EQ(plain->rope.theta, 10000);
  config = FamilyConfig("deepseek_v2_lite");
  config["n_group"] = nullptr;
  config["topk_group"] = nullptr;
  config.erase("topk_method");
  COHORT_EXPECT_OK(ParseModelConfig(config.dump(), "lite"));
}

TEST(ModelConfigTest, TextThatIsNoJsonIsNamed) {
  EXPECT_THAT(ParseModelConfig("{", "x"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("x: is not a JSON object")));
}

// Every size for itself may be real; together they are not.
TEST(ModelConfigTest, AbsurdProductsAreRefused) {
  json config = PublishedConfig();
  config["hidden_size"] = 1 << 23;
  config["num_hidden_layers"] = 4000;
  EXPECT_THAT(ParseModelConfig(config.dump(), "x"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("more than 17592186044416 parameters")));
}

}  // namespace
}  // namespace cohort
