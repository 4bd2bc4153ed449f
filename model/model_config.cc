#include "model/model_config.h"

#include <cmath>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <optional>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "proto/status.h"
#include "xxhash.h"

namespace cohort {
namespace {

using nlohmann::json;

constexpr int64_t kMaxSize = int64_t{1} << 24;
constexpr int64_t kMaxLayers = 4096;
constexpr int64_t kMaxParameters = int64_t{1} << 44;

// Reads fields one by one and keeps the first error; later reads are then
// harmless.
class Reader {
 public:
  Reader(const json& object, std::string path)
      : object_(object), path_(std::move(path)) {}

  const absl::Status& status() const { return status_; }

  void Fail(const std::string& field, const std::string& what) {
    if (status_.ok()) {
      status_ = absl::InvalidArgumentError(
          absl::StrCat(path_, ": ", field, " ", what));
    }
  }

  // The first error of a reader of a part.
  void Take(const absl::Status& status) { status_.Update(status); }

  // Null counts as absent.
  const json* Find(const std::string& field) const {
    const auto it = object_.find(field);
    return it == object_.end() || it->is_null() ? nullptr : &*it;
  }

  int64_t Integer(const std::string& field, int64_t low, int64_t high,
                  std::optional<int64_t> absent = std::nullopt) {
    const json* const value = Find(field);
    const int64_t fallback = absent.value_or(low);
    if (value == nullptr) {
      if (!absent) Fail(field, "is missing");
      return fallback;
    }
    const bool fits = value->is_number_integer() &&
                      (!value->is_number_unsigned() ||
                       value->get<uint64_t>() <= uint64_t{INT64_MAX});
    if (!fits) {
      Fail(field, absl::StrCat("must be an integer, is ", value->dump()));
      return fallback;
    }
    const int64_t number = value->get<int64_t>();
    if (number < low || number > high) {
      Fail(field,
           absl::StrCat("must be from ", low, " to ", high, ", is ", number));
      return fallback;
    }
    return number;
  }

  int64_t Size(const std::string& field) { return Integer(field, 1, kMaxSize); }

  double Number(const std::string& field, double low, double high,
                std::optional<double> absent = std::nullopt) {
    const json* const value = Find(field);
    const double fallback = absent.value_or(low);
    if (value == nullptr) {
      if (!absent) Fail(field, "is missing");
      return fallback;
    }
    if (!value->is_number()) {
      Fail(field, absl::StrCat("must be a number, is ", value->dump()));
      return fallback;
    }
    const double number = value->get<double>();
    if (!(number >= low && number <= high)) {
      Fail(field, absl::StrCat("must be from ", low, " to ", high, ", is ",
                               value->dump()));
      return fallback;
    }
    return number;
  }

  bool Bool(const std::string& field, bool absent) {
    const json* const value = Find(field);
    if (value == nullptr) return absent;
    if (!value->is_boolean()) {
      Fail(field, absl::StrCat("must be true or false, is ", value->dump()));
      return absent;
    }
    return value->get<bool>();
  }

  std::string Text(const std::string& field, const std::string& absent) {
    const json* const value = Find(field);
    if (value == nullptr) return absent;
    if (!value->is_string()) {
      Fail(field, absl::StrCat("must be a string, is ", value->dump()));
      return absent;
    }
    return value->get<std::string>();
  }

  // What is not built may be written down only with the value that is.
  void Only(const std::string& field, const json& built) {
    const json* const value = Find(field);
    if (value != nullptr && *value != built) {
      Fail(field, absl::StrCat(value->dump(), " is not supported (only ",
                               built.dump(), ")"));
    }
  }

  void Absent(const std::string& field) {
    if (Find(field) != nullptr) Fail(field, "is not supported");
  }

 private:
  const json& object_;
  std::string path_;
  absl::Status status_;
};

double Mscale(double factor, double mscale) {
  return factor <= 1 ? 1.0 : 0.1 * mscale * std::log(factor) + 1.0;
}

// One reader for transformers 4 ("rope_theta" + "rope_scaling") and 5
// ("rope_parameters" that holds both).
absl::StatusOr<RopeConfig> ReadRope(const json& root, const std::string& name) {
  RopeConfig rope;
  Reader top(root, name);
  rope.interleave = top.Bool("rope_interleave", true);
  const std::string field = top.Find("rope_parameters") != nullptr
                                ? "rope_parameters"
                                : "rope_scaling";
  const json* const inner = top.Find(field);
  if (inner != nullptr && !inner->is_object()) {
    top.Fail(field, "must be an object or null");
    return top.status();
  }
  const json scaling = inner == nullptr ? json::object() : *inner;
  Reader fields(scaling, absl::StrCat(name, ": ", field));
  rope.theta = fields.Find("rope_theta") != nullptr
                   ? fields.Number("rope_theta", 1.0001, 1e12)
                   : top.Number("rope_theta", 1.0001, 1e12);
  const std::string type =
      fields.Text("rope_type", fields.Text("type", "default"));
  if (type == "yarn") {
    rope.factor = fields.Number("factor", 1, 1e6);
    rope.beta_fast = fields.Number("beta_fast", 1e-3, 1e6, 32);
    rope.beta_slow = fields.Number("beta_slow", 1e-3, 1e6, 1);
    rope.mscale = fields.Number("mscale", 0, 1e3, 0);
    rope.mscale_all_dim = fields.Number("mscale_all_dim", 0, 1e3, 0);
    rope.original_max_position_embeddings =
        fields.Size("original_max_position_embeddings");
    fields.Absent("attention_factor");
    fields.Only("truncate", true);
  } else if (type != "default") {
    fields.Fail("rope_type",
                absl::StrCat("\"", type,
                             "\" is not supported (only default and yarn)"));
  }
  fields.Only("partial_rotary_factor", 1.0);
  COHORT_RETURN_IF_ERROR(top.status());
  COHORT_RETURN_IF_ERROR(fields.status());
  return rope;
}

void RefuseWhatIsNotBuilt(Reader* fields) {
  fields->Only("hidden_act", "silu");
  fields->Only("attention_bias", false);
  fields->Only("attention_dropout", 0.0);
  fields->Only("scoring_func", "sigmoid");
  fields->Only("topk_method", "noaux_tc");
  fields->Only("mlp_bias", false);
  fields->Absent("sliding_window");
  fields->Absent("index_topk");
}

void ReadShape(Reader* fields, ModelConfig* config) {
  config->vocab_size = fields->Size("vocab_size");
  config->hidden_size = fields->Size("hidden_size");
  config->intermediate_size = fields->Size("intermediate_size");
  config->num_hidden_layers =
      fields->Integer("num_hidden_layers", 1, kMaxLayers);
  config->num_attention_heads = fields->Size("num_attention_heads");
  if (fields->Integer("num_key_value_heads", 1, kMaxSize,
                      config->num_attention_heads) !=
      config->num_attention_heads) {
    fields->Fail(
        "num_key_value_heads",
        "must equal num_attention_heads: every head of MLA has its own "
        "key");
  }
  config->q_lora_rank = fields->Integer("q_lora_rank", 1, kMaxSize, 0);
  config->kv_lora_rank = fields->Size("kv_lora_rank");
  config->qk_nope_head_dim = fields->Size("qk_nope_head_dim");
  config->qk_rope_head_dim = fields->Size("qk_rope_head_dim");
  if (config->qk_rope_head_dim % 2 != 0) {
    fields->Fail("qk_rope_head_dim",
                 absl::StrCat("must be even, is ", config->qk_rope_head_dim));
  }
  config->v_head_dim = fields->Size("v_head_dim");
  config->max_position_embeddings = fields->Size("max_position_embeddings");
  config->num_nextn_predict_layers =
      fields->Integer("num_nextn_predict_layers", 0, kMaxLayers, 0);
}

void ReadExperts(Reader* fields, ModelConfig* config) {
  config->n_routed_experts = fields->Integer("n_routed_experts", 0, 1 << 16, 0);
  if (config->n_routed_experts == 0) return;
  config->moe_intermediate_size = fields->Size("moe_intermediate_size");
  config->n_shared_experts = fields->Integer("n_shared_experts", 0, 1 << 10, 0);
  config->first_k_dense_replace =
      fields->Integer("first_k_dense_replace", 0, kMaxLayers);
  config->moe_layer_freq = fields->Integer("moe_layer_freq", 1, kMaxLayers, 1);

  RouterSettings& router = config->router;
  router.experts_per_token = fields->Size("num_experts_per_tok");
  router.groups = fields->Size("n_group");
  router.groups_per_token = fields->Size("topk_group");
  router.normalise = fields->Bool("norm_topk_prob", true);
  router.scaling = fields->Number("routed_scaling_factor", 1e-6, 1e6);
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

int64_t ReadTokenId(Reader* fields, const std::string& name) {
  return fields->Integer(name, -1, kMaxSize, -1);
}

void ReadTokenIds(Reader* fields, ModelConfig* config) {
  config->bos_token_id = ReadTokenId(fields, "bos_token_id");
  config->pad_token_id = ReadTokenId(fields, "pad_token_id");
  const json* const eos = fields->Find("eos_token_id");
  if (eos == nullptr) return;
  for (const json& id : eos->is_array() ? *eos : json::array({*eos})) {
    if (!id.is_number_integer() || id < 0 || id >= config->vocab_size) {
      fields->Fail(
          "eos_token_id",
          absl::StrCat("must be ids below vocab_size, is ", eos->dump()));
      return;
    }
    config->eos_token_ids.push_back(id.get<int64_t>());
  }
}

// FP8 in blocks, as DeepSeek publishes it. Which tensors are FP8 their own
// dtype says, and scales are read as they are stored: modules_to_not_convert
// and scale_fmt change nothing.
void ReadQuantization(Reader* fields, const std::string& name,
                      ModelConfig* config) {
  const std::string section = "quantization_config";
  const json* const value = fields->Find(section);
  if (value == nullptr) return;
  if (!value->is_object()) {
    fields->Fail(section, "must be an object or null");
    return;
  }
  Reader inner(*value, absl::StrCat(name, ": ", section));
  if (inner.Find("quant_method") == nullptr) {
    inner.Fail("quant_method", "is missing");
  }
  inner.Only("quant_method", "fp8");
  inner.Only("fmt", "e4m3");
  inner.Only("activation_scheme", "dynamic");
  config->fp8_block_rows = config->fp8_block_columns = 128;
  if (const json* const block = inner.Find("weight_block_size")) {
    const auto fits = [](const json& size) {
      return size.is_number_integer() && size >= 1 && size <= kMaxSize;
    };
    if (block->is_array() && block->size() == 2 && fits((*block)[0]) &&
        fits((*block)[1])) {
      config->fp8_block_rows = (*block)[0].get<int64_t>();
      config->fp8_block_columns = (*block)[1].get<int64_t>();
    } else {
      inner.Fail("weight_block_size",
                 absl::StrCat("must be [rows, columns], is ", block->dump()));
    }
  }
  fields->Take(inner.status());
}

// One layer's tensors; 128 bits, because a wrong file may name any size.
__int128 LayerParameters(const ModelConfig& c, int64_t layer) {
  using Wide = __int128;
  const Wide d = c.hidden_size;
  const Wide heads = c.num_attention_heads;
  const Wide q_rows = heads * (c.qk_nope_head_dim + c.qk_rope_head_dim);
  Wide count = 2 * d;  // Two norms.
  count += c.q_lora_rank == 0
               ? q_rows * d
               : c.q_lora_rank * (d + 1) + q_rows * c.q_lora_rank;
  count += (c.kv_lora_rank + c.qk_rope_head_dim) * d + c.kv_lora_rank;
  count += heads * (c.qk_nope_head_dim + c.v_head_dim) * c.kv_lora_rank;
  count += d * heads * c.v_head_dim;
  if (!c.IsMoe(layer)) return count + 3 * d * c.intermediate_size;
  return count + c.n_routed_experts * (d + 1) +
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
  if (mscale == 0 || mscale_all_dim == 0) return Mscale(factor, 1);
  return Mscale(factor, mscale) / Mscale(factor, mscale_all_dim);
}

double RopeConfig::SoftmaxFactor() const {
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

double ModelConfig::SoftmaxScale() const {
  return rope.SoftmaxFactor() /
         std::sqrt(static_cast<double>(qk_nope_head_dim + qk_rope_head_dim));
}

int64_t ModelConfig::ParameterCount() const {
  return static_cast<int64_t>(CountParameters(*this));
}

absl::StatusOr<ModelConfig> ParseModelConfig(const std::string& text,
                                             const std::string& name) {
  const json root = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!root.is_object()) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, ": is not a JSON object"));
  }
  ModelConfig config;
  Reader fields(root, name);
  config.model_type = fields.Text("model_type", "");
  if (config.model_type != "deepseek_v3") {
    fields.Fail("model_type",
                absl::StrCat("\"", config.model_type,
                             "\" is not supported (only deepseek_v3)"));
  }
  RefuseWhatIsNotBuilt(&fields);
  ReadShape(&fields, &config);
  ReadExperts(&fields, &config);
  ReadTokenIds(&fields, &config);
  ReadQuantization(&fields, name, &config);
  config.rms_norm_eps = fields.Number("rms_norm_eps", 1e-30, 1, 1e-6);
  config.tie_word_embeddings = fields.Bool("tie_word_embeddings", false);
  config.initializer_range = fields.Number("initializer_range", 0, 100, 0.02);
  config.dtype = fields.Text("dtype", fields.Text("torch_dtype", "float32"));
  COHORT_RETURN_IF_ERROR(fields.status());
  COHORT_ASSIGN_OR_RETURN(config.rope, ReadRope(root, name));
  if (CountParameters(config) > kMaxParameters) {
    return absl::InvalidArgumentError(absl::StrCat(
        name, ": its sizes make more than ", kMaxParameters, " parameters"));
  }
  return config;
}

std::string ModelHash(const ModelConfig& c) {
  const std::string text = absl::StrCat(
      absl::StrCat(c.model_type, " ", c.vocab_size, " ", c.hidden_size, " ",
                   c.intermediate_size, " ", c.moe_intermediate_size, " ",
                   c.num_hidden_layers, " ", c.num_attention_heads, " ",
                   c.q_lora_rank, " ", c.kv_lora_rank, " "),
      absl::StrCat(c.qk_nope_head_dim, " ", c.qk_rope_head_dim, " ",
                   c.v_head_dim, " ", c.n_routed_experts, " ",
                   c.n_shared_experts, " ", c.first_k_dense_replace, " ",
                   c.moe_layer_freq, " "),
      absl::StrCat(c.router.experts_per_token, " ", c.router.groups, " ",
                   c.router.groups_per_token, " ", c.router.normalise, " ",
                   c.tie_word_embeddings, " ", c.max_position_embeddings, " ",
                   c.rope.original_max_position_embeddings, " ",
                   c.rope.interleave, " "),
      absl::StrFormat("%.17g %.17g %.17g %.17g %.17g %.17g %.17g %.17g",
                      c.router.scaling, c.rms_norm_eps, c.rope.theta,
                      c.rope.factor, c.rope.beta_fast, c.rope.beta_slow,
                      c.rope.mscale, c.rope.mscale_all_dim));
  const XXH128_hash_t hash = XXH3_128bits(text.data(), text.size());
  return absl::StrFormat("%016x%016x", hash.high64, hash.low64);
}

}  // namespace cohort
