// Folders that we save, read by transformers; skipped where the environment
// lacks it.
#include <gtest/gtest.h>
#include <torch/types.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "model/checkpoint.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temp_dir.h"
#include "tests/testing/tiny_families.h"

namespace cohort {
namespace {

// transformers itself loads what we save, and computes what we compute.
struct Saved {
  std::string family;
  SaveOptions options;
};

class TransformersTest : public testing::TestWithParam<Saved> {};

TEST_P(TransformersTest, LoadsASavedFolder) {
  const std::string python = COHORT_PYTHON;
  if (std::system((python + " -c 'import transformers' 2>/dev/null").c_str()) !=
      0) {
    GTEST_SKIP() << "no transformers in " << python;
  }
  const TempDir folder;
  const auto& [family, options] = GetParam();
  const auto model = MakeTinyFamily(family, 3);
  COHORT_ASSERT_OK(
      SaveFolder(*model, TinyFamilyJson(family), "", folder / "m", options));
  // As the folder has them: in bfloat16, what was rounded.
  COHORT_ASSERT_OK(LoadWeights(folder / "m", model.get()));
  const std::vector<int32_t> tokens = {3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8};
  folder.Write("run.py", R"(
import sys, torch, transformers
folder, out = sys.argv[1:3]
model, info = transformers.AutoModelForCausalLM.from_pretrained(
    folder, output_loading_info=True, attn_implementation="eager")
assert not any(info[k] for k in ("missing_keys", "unexpected_keys", "mismatched_keys")), info
assert model.dtype == getattr(torch, sys.argv[3]), model.dtype
for name, buffer in model.named_buffers():
    if name.endswith("e_score_correction_bias"):
        assert buffer.dtype == torch.float32 and buffer.any(), (name, buffer)
model = model.float()
ids = torch.tensor([[int(t) for t in sys.argv[4:]]])
logits = model(ids).logits[0].detach().contiguous()
open(out, "wb").write(logits.numpy().tobytes())
)");
  std::string command = python + " " + (folder / "run.py") + " " +
                        (folder / "m") + " " + (folder / "logits") + " " +
                        options.dtype;
  for (const int32_t token : tokens) command += " " + std::to_string(token);
  ASSERT_EQ(std::system((command + " 2>" + (folder / "log")).c_str()), 0)
      << TempDir::Read(folder / "log");
  std::string bytes = TempDir::Read(folder / "logits");
  const at::Tensor theirs = at::from_blob(bytes.data(), {12, 37}, at::kFloat);
  const at::NoGradGuard no_grad;
  const at::Tensor ours = at::linear(
      model->Forward(PackSequences({tokens}, at::kCPU)).hidden, model->Head());
  EXPECT_LE((ours - theirs).abs().max().item<double>(),
            1e-4 * theirs.abs().max().item<double>());
}

std::vector<Saved> FamiliesAndForms() {
  std::vector<Saved> saved = {
      {"deepseek_v3", {.dtype = "bfloat16", .shard_bytes = 20'000}}};
  for (const char* family : kTinyFamilies) saved.push_back({family, {}});
  return saved;
}

INSTANTIATE_TEST_SUITE_P(Folders, TransformersTest,
                         testing::ValuesIn(FamiliesAndForms()),
                         [](const auto& info) {
                           return info.param.family + "_" +
                                  info.param.options.dtype;
                         });

}  // namespace
}  // namespace cohort
