#include "model/generation_config.h"

#include "absl/strings/str_cat.h"
#include "model/config_fields.h"
#include "model/text_file.h"
#include "proto/status.h"

namespace cohort {

absl::StatusOr<std::vector<int64_t>> LoadEndTokens(const std::string& folder,
                                                   const ModelConfig& config) {
  const std::string path = absl::StrCat(folder, "/generation_config.json");
  const absl::StatusOr<std::string> text = ReadTextFile(path);
  if (absl::IsNotFound(text.status())) return config.eos_token_ids;
  COHORT_RETURN_IF_ERROR(text.status());
  COHORT_ASSIGN_OR_RETURN(ConfigFields fields,
                          ConfigFields::Parse(*text, path));
  std::vector<int64_t> tokens = fields.Ids("eos_token_id", config.vocab_size);
  COHORT_RETURN_IF_ERROR(fields.status());
  return fields.Has("eos_token_id") ? tokens : config.eos_token_ids;
}

}  // namespace cohort
