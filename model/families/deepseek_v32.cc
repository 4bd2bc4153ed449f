// DeepSeek-V3.2: V3 with the lightning indexer and sparse attention
// (model/indexer.h).
#include "model/families/family.h"

namespace cohort {

void ReadDeepseekV32(ConfigFields* fields, ModelConfig* config) {
  ReadLatentAttention(fields, config);
  ReadExperts(fields, config);
  ReadExpertGroups(fields, config);
  fields->Only("scoring_func", "sigmoid");
  fields->Only("topk_method", "noaux_tc");
  fields->OnlyLayers("layer_types", "indexed_attention");
  config->router.correction_bias = true;
  config->router.normalise = fields->Bool("norm_topk_prob", true);
  if (config->q_lora_rank == 0) {
    fields->Fail("q_lora_rank", "is missing: the indexer reads its output");
  }
  config->index_n_heads = fields->Size("index_n_heads");
  config->index_head_dim = fields->Size("index_head_dim");
  config->index_topk = fields->Size("index_topk");
  if (config->index_head_dim < config->qk_rope_head_dim) {
    fields->Fail("index_head_dim", "is less than qk_rope_head_dim");
  }
  fields->Only("rope_interleave", true);
  ReadRope(fields, config);
  config->rope.interleave = true;
}

}  // namespace cohort
