// Families of models: what a config.json with their model_type means. A family
// sets the switches of ModelConfig; the arithmetic is one for all.
#pragma once

#include <string>

#include "model/config_fields.h"
#include "model/model_config.h"

namespace cohort {

// Each reads the fields of its family into `config`; errors stay in `fields`.
// Fields that all families share (vocab_size, rms_norm_eps, ...) are read
// already.
void ReadDeepseekV2(ConfigFields* fields, ModelConfig* config);
void ReadDeepseekV3(ConfigFields* fields, ModelConfig* config);

void ReadDeepseekV32(ConfigFields* fields, ModelConfig* config);
void ReadLlama(ConfigFields* fields, ModelConfig* config);
void ReadQwen2(ConfigFields* fields, ModelConfig* config);
void ReadQwen3(ConfigFields* fields, ModelConfig* config);

using FamilyReader = void (*)(ConfigFields* fields, ModelConfig* config);

// The reader of `model_type`. An unknown one is null and an error that lists
// those that are known.
FamilyReader FindFamily(const std::string& model_type, ConfigFields* fields);

// Parts that families have in common.

// MLA: ranks and head widths.
void ReadLatentAttention(ConfigFields* fields, ModelConfig* config);

// Grouped queries: heads, kv heads, head_dim (absent: hidden_size / heads).
void ReadGroupedAttention(ConfigFields* fields, ModelConfig* config);

// A mixture of experts: sizes and layers. n_routed_experts absent or 0: a dense
// model.
void ReadExperts(ConfigFields* fields, ModelConfig* config);

// The groups that the router limits a token to.
void ReadExpertGroups(ConfigFields* fields, ModelConfig* config);

// "rope_parameters" (transformers 5), or "rope_theta" and "rope_scaling" (4).
void ReadRope(ConfigFields* fields, ModelConfig* config);

}  // namespace cohort
