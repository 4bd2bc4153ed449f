// Qwen2 and Qwen2.5 (arXiv:2407.10671): grouped queries with biases on the
// query, key and value projections.
#include "model/families/family.h"

namespace cohort {

void ReadQwen2(ConfigFields* fields, ModelConfig* config) {
  ReadGroupedAttention(fields, config);
  config->qkv_bias = true;
  fields->Only("use_sliding_window", false);
  fields->OnlyLayers("layer_types", "full_attention");
  ReadRope(fields, config);
}

}  // namespace cohort
