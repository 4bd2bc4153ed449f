// DeepSeek-V3, R1 and V3.1 (arXiv:2412.19437): MLA, sigmoid scores with a
// correction bias.
#include "model/families/family.h"

namespace cohort {

void ReadDeepseekV3(ConfigFields* fields, ModelConfig* config) {
  ReadLatentAttention(fields, config);
  ReadExperts(fields, config);
  ReadExpertGroups(fields, config);
  fields->Only("scoring_func", "sigmoid");
  fields->Only("topk_method", "noaux_tc");
  fields->Absent("index_topk");
  config->router.correction_bias = true;
  config->router.normalise = fields->Bool("norm_topk_prob", true);
  ReadRope(fields, config);
  config->rope.interleave = fields->Bool("rope_interleave", true);
}

}  // namespace cohort
