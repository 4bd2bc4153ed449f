// What families have in common.
#include "absl/strings/str_cat.h"
#include "model/families/family.h"

namespace cohort {
namespace {

// Where the experts lie, said once more by transformers 5.
void CheckMlpLayers(ConfigFields* fields, const ModelConfig& config) {
  const auto layers = fields->Texts("mlp_layer_types");
  if (!layers.has_value()) return;
  std::vector<std::string> expected;
  for (int64_t i = 0; i < config.num_hidden_layers; ++i) {
    expected.push_back(config.IsMoe(i) ? "sparse" : "dense");
  }
  if (*layers != expected) {
    fields->Fail("mlp_layer_types",
                 "differs from what first_k_dense_replace and moe_layer_freq "
                 "say, which is not supported");
  }
}

void ReadYarn(ConfigFields* fields, RopeConfig* rope) {
  rope->type = RopeType::kYarn;
  rope->factor = fields->Number("factor", 1, 1e6);
  rope->beta_fast = fields->Number("beta_fast", 1e-3, 1e6, 32);
  rope->beta_slow = fields->Number("beta_slow", 1e-3, 1e6, 1);
  rope->mscale = fields->Number("mscale", 0, 1e3, 0);
  rope->mscale_all_dim = fields->Number("mscale_all_dim", 0, 1e3, 0);
  rope->attention_factor = fields->Number("attention_factor", 1e-6, 1e6, 0);
  rope->truncate = fields->Bool("truncate", true);
}

void ReadLlama3(ConfigFields* fields, RopeConfig* rope) {
  rope->type = RopeType::kLlama3;
  rope->factor = fields->Number("factor", 1, 1e6);
  rope->low_freq_factor = fields->Number("low_freq_factor", 1e-6, 1e6);
  rope->high_freq_factor = fields->Number("high_freq_factor", 1e-6, 1e6);
  if (rope->high_freq_factor <= rope->low_freq_factor) {
    fields->Fail("high_freq_factor", "must be more than low_freq_factor");
  }
}

}  // namespace

void ReadLatentAttention(ConfigFields* fields, ModelConfig* config) {
  fields->Only("attention_bias", false);
  config->num_key_value_heads =
      fields->Size("num_key_value_heads", config->num_attention_heads);
  if (config->num_key_value_heads != config->num_attention_heads) {
    fields->Fail(
        "num_key_value_heads",
        "must equal num_attention_heads: every head of MLA has its own "
        "key");
  }
  config->q_lora_rank = fields->Size("q_lora_rank", 0);
  config->kv_lora_rank = fields->Size("kv_lora_rank");
  config->qk_nope_head_dim = fields->Size("qk_nope_head_dim");
  config->qk_rope_head_dim = fields->Size("qk_rope_head_dim");
  if (config->qk_rope_head_dim % 2 != 0) {
    fields->Fail("qk_rope_head_dim",
                 absl::StrCat("must be even, is ", config->qk_rope_head_dim));
  }
  config->v_head_dim = fields->Size("v_head_dim");
}

void ReadGroupedAttention(ConfigFields* fields, ModelConfig* config) {
  const int64_t heads = config->num_attention_heads;
  config->num_key_value_heads = fields->Size("num_key_value_heads", heads);
  if (heads % config->num_key_value_heads != 0) {
    fields->Fail("num_key_value_heads",
                 absl::StrCat(config->num_key_value_heads, " does not divide ",
                              heads, " num_attention_heads"));
  }
  if (!fields->Has("head_dim") && config->hidden_size % heads != 0) {
    fields->Fail("head_dim",
                 "is missing, and num_attention_heads does not "
                 "divide hidden_size");
    return;
  }
  config->head_dim = fields->Size("head_dim", config->hidden_size / heads);
  if (config->head_dim % 2 != 0) {
    fields->Fail("head_dim",
                 absl::StrCat("must be even, is ", config->head_dim));
  }
  config->rope.interleave = false;
}

void ReadExperts(ConfigFields* fields, ModelConfig* config) {
  config->n_routed_experts = fields->Integer("n_routed_experts", 0, 1 << 16, 0);
  if (config->n_routed_experts == 0) return;
  config->moe_intermediate_size = fields->Size("moe_intermediate_size");
  config->n_shared_experts = fields->Integer("n_shared_experts", 0, 1 << 10, 0);
  config->first_k_dense_replace =
      fields->Integer("first_k_dense_replace", 0, kMaxLayers);
  config->moe_layer_freq = fields->Integer("moe_layer_freq", 1, kMaxLayers, 1);
  CheckMlpLayers(fields, *config);
  config->router.experts_per_token = fields->Size("num_experts_per_tok");
  config->router.scaling = fields->Number("routed_scaling_factor", 1e-6, 1e6);
  if (config->router.experts_per_token > config->n_routed_experts) {
    fields->Fail("num_experts_per_tok",
                 absl::StrCat(config->router.experts_per_token,
                              " is more than n_routed_experts ",
                              config->n_routed_experts));
  }
}

void ReadExpertGroups(ConfigFields* fields, ModelConfig* config) {
  if (config->n_routed_experts == 0) return;
  RouterSettings& router = config->router;
  router.groups = fields->Size("n_group");
  router.groups_per_token = fields->Size("topk_group");
  if (config->n_routed_experts % router.groups != 0) {
    fields->Fail("n_group",
                 absl::StrCat(router.groups, " does not divide ",
                              config->n_routed_experts, " n_routed_experts"));
    return;
  }
  if (router.groups_per_token > router.groups) {
    fields->Fail("topk_group",
                 absl::StrCat(router.groups_per_token, " is more than n_group ",
                              router.groups));
  }
  const int64_t reachable =
      config->n_routed_experts / router.groups * router.groups_per_token;
  if (router.experts_per_token > reachable) {
    fields->Fail("num_experts_per_tok",
                 absl::StrCat(router.experts_per_token, " is more than the ",
                              reachable, " experts of the chosen groups"));
  }
}

void ReadRope(ConfigFields* fields, ModelConfig* config) {
  RopeConfig& rope = config->rope;
  ConfigFields scales = fields->Object(
      fields->Has("rope_parameters") ? "rope_parameters" : "rope_scaling");
  rope.theta = scales.Has("rope_theta")
                   ? scales.Number("rope_theta", 1.0001, 1e12)
                   : fields->Number("rope_theta", 1.0001, 1e12, 10000);
  const std::string type =
      scales.Text("rope_type", scales.Text("type", "default"));
  if (type == "yarn") {
    ReadYarn(&scales, &rope);
  } else if (type == "llama3") {
    ReadLlama3(&scales, &rope);
  } else if (type != "default") {
    scales.Fail("rope_type",
                absl::StrCat("\"", type,
                             "\" is not supported (only default, llama3 and "
                             "yarn)"));
  }
  if (rope.type != RopeType::kDefault) {
    rope.original_max_position_embeddings = scales.Size(
        "original_max_position_embeddings", config->max_position_embeddings);
  }
  scales.NoObjects("angles that differ by layer are not supported");
  fields->Only("partial_rotary_factor", 1.0);
  scales.Only("partial_rotary_factor", 1.0);
  fields->Adopt(scales);
}

}  // namespace cohort
