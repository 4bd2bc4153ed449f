#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "model/families/family.h"

namespace cohort {
namespace {

struct Family {
  const char* model_type;
  FamilyReader read;
};

constexpr Family kFamilies[] = {{"deepseek_v2", ReadDeepseekV2},
                                {"deepseek_v3", ReadDeepseekV3},
                                {"deepseek_v32", ReadDeepseekV32},
                                {"llama", ReadLlama},
                                {"qwen2", ReadQwen2},
                                {"qwen3", ReadQwen3}};

}  // namespace

FamilyReader FindFamily(const std::string& model_type, ConfigFields* fields) {
  for (const Family& family : kFamilies) {
    if (model_type == family.model_type) return family.read;
  }
  fields->Fail(
      "model_type",
      absl::StrCat("\"", model_type, "\" is not supported (only ",
                   absl::StrJoin(kFamilies, ", ",
                                 [](std::string* out, const Family& family) {
                                   out->append(family.model_type);
                                 }),
                   ")"));
  return nullptr;
}

}  // namespace cohort
