// Qwen3, dense (arXiv:2505.09388): grouped queries, each head's queries and
// keys normalised; attention_bias puts biases on all four projections.
#include "model/families/family.h"

namespace cohort {

void ReadQwen3(ConfigFields* fields, ModelConfig* config) {
  ReadGroupedAttention(fields, config);
  config->qk_norm = true;
  config->qkv_bias = fields->Bool("attention_bias", false);
  config->output_bias = config->qkv_bias;
  fields->Only("use_sliding_window", false);
  fields->OnlyLayers("layer_types", "full_attention");
  ReadRope(fields, config);
}

}  // namespace cohort
