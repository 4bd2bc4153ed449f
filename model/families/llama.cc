// Llama 3 (arXiv:2407.21783): grouped queries; attention_bias puts biases on
// all four projections.
#include "model/families/family.h"

namespace cohort {

void ReadLlama(ConfigFields* fields, ModelConfig* config) {
  ReadGroupedAttention(fields, config);
  config->qkv_bias = fields->Bool("attention_bias", false);
  config->output_bias = config->qkv_bias;
  fields->Absent("sliding_window");
  ReadRope(fields, config);
}

}  // namespace cohort
