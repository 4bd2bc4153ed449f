// DeepSeek-V2 and V2-Lite (arXiv:2405.04434): MLA, softmax scores.
//
// norm_topk_prob is read by DeepSeek's own code, which then divides the weights
// by their sum instead of scaling them, and ignored by transformers' class,
// which always scales. Published models say false, where both agree; here it is
// ignored, as in transformers.
#include "absl/strings/str_cat.h"
#include "model/families/family.h"

namespace cohort {

void ReadDeepseekV2(ConfigFields* fields, ModelConfig* config) {
  ReadLatentAttention(fields, config);
  ReadExperts(fields, config);
  fields->Only("scoring_func", "softmax");
  RouterSettings& router = config->router;
  router.softmax = true;
  router.group_best = 1;
  router.normalise = false;
  const std::string method = fields->Text("topk_method", "greedy");
  if (method == "group_limited_greedy") {
    ReadExpertGroups(fields, config);
  } else if (method != "greedy") {
    fields->Fail("topk_method",
                 absl::StrCat("\"", method,
                              "\" is not supported (only greedy and "
                              "group_limited_greedy)"));
  }
  fields->Only("rope_interleave", true);
  ReadRope(fields, config);
  config->rope.interleave = true;
}

}  // namespace cohort
