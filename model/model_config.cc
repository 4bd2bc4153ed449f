#include "model/model_config.h"

#include <cmath>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "model/config_fields.h"
#include "model/families/family.h"
#include "proto/status.h"
#include "xxhash.h"

namespace cohort {
namespace {

constexpr int64_t kMaxParameters = int64_t{1} << 44;

double Mscale(double factor, double mscale) {
  return factor <= 1 ? 1.0 : 0.1 * mscale * std::log(factor) + 1.0;
}

// What every family has.
void ReadShape(ConfigFields* fields, ModelConfig* config) {
  config->vocab_size = fields->Size("vocab_size");
  config->hidden_size = fields->Size("hidden_size");
  config->intermediate_size = fields->Size("intermediate_size");
  config->num_hidden_layers =
      fields->Integer("num_hidden_layers", 1, kMaxLayers);
  config->num_attention_heads = fields->Size("num_attention_heads");
  config->max_position_embeddings = fields->Size("max_position_embeddings");
  config->num_nextn_predict_layers =
      fields->Integer("num_nextn_predict_layers", 0, 1, 0);
  config->rms_norm_eps = fields->Number("rms_norm_eps", 1e-30, 1, 1e-6);
  config->tie_word_embeddings = fields->Bool("tie_word_embeddings", false);
  config->initializer_range = fields->Number("initializer_range", 0, 100, 0.02);
  config->dtype = fields->Text("dtype", fields->Text("torch_dtype", "float32"));
  fields->Only("hidden_act", "silu");
  fields->Only("attention_dropout", 0.0);
  fields->Only("mlp_bias", false);
}

int64_t ReadTokenId(ConfigFields* fields, const std::string& name) {
  return fields->Integer(name, -1, kMaxSize, -1);
}

void ReadTokenIds(ConfigFields* fields, ModelConfig* config) {
  config->bos_token_id = ReadTokenId(fields, "bos_token_id");
  config->pad_token_id = ReadTokenId(fields, "pad_token_id");
  config->eos_token_ids = fields->Ids("eos_token_id", config->vocab_size);
}

// FP8 in blocks, as DeepSeek publishes it. Which tensors are FP8 their own
// dtype says, and scales are read as they are stored: modules_to_not_convert
// and scale_fmt change nothing.
void ReadQuantization(ConfigFields* fields, ModelConfig* config) {
  const std::string section = "quantization_config";
  if (!fields->Has(section)) return;
  ConfigFields inner = fields->Object(section);
  if (!inner.Has("quant_method")) inner.Fail("quant_method", "is missing");
  inner.Only("quant_method", "fp8");
  inner.Only("fmt", "e4m3");
  inner.Only("activation_scheme", "dynamic");
  config->fp8_block_rows = config->fp8_block_columns = 128;
  inner.RowsAndColumns("weight_block_size", &config->fp8_block_rows,
                       &config->fp8_block_columns);
  fields->Adopt(inner);
}

// Of one layer's attention; 128 bits, because a wrong file may name any size.
__int128 AttentionParameters(const ModelConfig& c) {
  using Wide = __int128;
  const Wide d = c.hidden_size;
  const Wide heads = c.num_attention_heads;
  if (!c.IsLatent()) {
    const Wide width = c.head_dim;
    const Wide rows = (heads + 2 * c.num_key_value_heads) * width;
    return rows * (d + (c.qkv_bias ? 1 : 0)) + d * heads * width +
           (c.output_bias ? d : 0) + (c.qk_norm ? 2 * width : 0);
  }
  const Wide q_rows = heads * (c.qk_nope_head_dim + c.qk_rope_head_dim);
  Wide count = c.q_lora_rank == 0
                   ? q_rows * d
                   : c.q_lora_rank * (d + 1) + q_rows * c.q_lora_rank;
  count += (c.kv_lora_rank + c.qk_rope_head_dim) * d + c.kv_lora_rank;
  count += heads * (c.qk_nope_head_dim + c.v_head_dim) * c.kv_lora_rank;
  count += d * heads * c.v_head_dim;
  if (c.IsSparse()) {
    const Wide index_heads = c.index_n_heads;
    count += index_heads * c.index_head_dim * c.q_lora_rank +
             c.index_head_dim * (d + 2) + index_heads * d;
  }
  return count;
}

__int128 LayerParameters(const ModelConfig& c, int64_t layer) {
  using Wide = __int128;
  const Wide d = c.hidden_size;
  const Wide count = 2 * d + AttentionParameters(c);  // Two norms.
  if (!c.IsMoe(layer)) return count + 3 * d * c.intermediate_size;
  return count + c.n_routed_experts * (d + (c.router.correction_bias ? 1 : 0)) +
         3 * d * c.moe_intermediate_size *
             (Wide{c.n_routed_experts} + c.n_shared_experts);
}

__int128 CountParameters(const ModelConfig& c) {
  __int128 count = static_cast<__int128>(c.vocab_size) * c.hidden_size *
                       (c.tie_word_embeddings ? 1 : 2) +
                   c.hidden_size;
  for (int64_t layer = 0; layer < c.num_hidden_layers; ++layer) {
    count += LayerParameters(c, layer);
  }
  return count;
}

}  // namespace

double RopeConfig::Amplitude() const {
  if (type != RopeType::kYarn) return 1;
  if (attention_factor > 0) return attention_factor;
  if (mscale == 0 || mscale_all_dim == 0) return Mscale(factor, 1);
  return Mscale(factor, mscale) / Mscale(factor, mscale_all_dim);
}

double RopeConfig::SoftmaxFactor() const {
  if (type != RopeType::kYarn) return 1;
  const double m = Mscale(factor, mscale_all_dim);
  return m * m;
}

int64_t ModelConfig::MoeLayers() const {
  int64_t count = 0;
  for (int64_t layer = 0; layer < num_hidden_layers; ++layer) {
    count += IsMoe(layer) ? 1 : 0;
  }
  return count;
}

int64_t ModelConfig::CacheWidth() const {
  return IsLatent() ? kv_lora_rank + qk_rope_head_dim + index_head_dim
                    : 2 * num_key_value_heads * head_dim;
}

double ModelConfig::SoftmaxScale() const {
  if (!IsLatent()) return 1 / std::sqrt(static_cast<double>(head_dim));
  return rope.SoftmaxFactor() /
         std::sqrt(static_cast<double>(qk_nope_head_dim + qk_rope_head_dim));
}

int64_t ModelConfig::ParameterCount() const {
  return static_cast<int64_t>(CountParameters(*this));
}

absl::StatusOr<ModelConfig> ParseModelConfig(const std::string& text,
                                             const std::string& name) {
  COHORT_ASSIGN_OR_RETURN(ConfigFields fields, ConfigFields::Parse(text, name));
  ModelConfig config;
  config.model_type = fields.Text("model_type", "");
  const FamilyReader read_family = FindFamily(config.model_type, &fields);
  COHORT_RETURN_IF_ERROR(fields.status());
  ReadShape(&fields, &config);
  ReadTokenIds(&fields, &config);
  ReadQuantization(&fields, &config);
  read_family(&fields, &config);
  COHORT_RETURN_IF_ERROR(fields.status());
  if (CountParameters(config) > kMaxParameters) {
    return absl::InvalidArgumentError(absl::StrCat(
        name, ": its sizes make more than ", kMaxParameters, " parameters"));
  }
  return config;
}

std::string ModelHash(const ModelConfig& c) {
  const RouterSettings& router = c.router;
  const std::string text = absl::StrCat(
      absl::StrCat(c.model_type, " ", c.vocab_size, " ", c.hidden_size, " ",
                   c.intermediate_size, " ", c.moe_intermediate_size, " ",
                   c.num_hidden_layers, " ", c.num_attention_heads, " ",
                   c.num_key_value_heads, " ", c.num_nextn_predict_layers, " "),
      absl::StrCat(c.q_lora_rank, " ", c.kv_lora_rank, " ", c.qk_nope_head_dim,
                   " ", c.qk_rope_head_dim, " ", c.v_head_dim, " ",
                   c.index_n_heads, " ", c.index_head_dim, " ", c.index_topk,
                   " "),
      absl::StrCat(c.head_dim, " ", c.qk_norm, " ", c.qkv_bias, " ",
                   c.output_bias, " ", c.n_routed_experts, " ",
                   c.n_shared_experts, " ", c.first_k_dense_replace, " ",
                   c.moe_layer_freq, " "),
      absl::StrCat(router.experts_per_token, " ", router.groups, " ",
                   router.groups_per_token, " ", router.group_best, " ",
                   router.softmax, " ", router.correction_bias, " ",
                   router.normalise, " "),
      absl::StrCat(c.tie_word_embeddings, " ", c.max_position_embeddings, " ",
                   static_cast<int>(c.rope.type), " ",
                   c.rope.original_max_position_embeddings, " ",
                   c.rope.truncate, " ", c.rope.interleave, " "),
      absl::StrFormat("%.17g %.17g %.17g %.17g %.17g %.17g %.17g %.17g ",
                      router.scaling, c.rms_norm_eps, c.rope.theta,
                      c.rope.factor, c.rope.beta_fast, c.rope.beta_slow,
                      c.rope.mscale, c.rope.mscale_all_dim),
      absl::StrFormat("%.17g %.17g %.17g", c.rope.attention_factor,
                      c.rope.low_freq_factor, c.rope.high_freq_factor));
  const XXH128_hash_t hash = XXH3_128bits(text.data(), text.size());
  return absl::StrFormat("%016x%016x", hash.high64, hash.low64);
}

}  // namespace cohort
