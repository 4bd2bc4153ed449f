#include "rollout/model_flags.h"

#include <ATen/Parallel.h>
#include <torch/types.h>

#include "absl/strings/str_cat.h"
#include "model/checkpoint.h"
#include "model/device.h"
#include "proto/status.h"

namespace cohort {
namespace {

// The checkpoint's dtype on a GPU; there bfloat16 stands for float16 too.
std::string DtypeName(const ModelFlags& flags, const ModelConfig& config,
                      at::Device device) {
  if (!flags.dtype.empty() || device.is_cpu()) return flags.dtype;
  return config.dtype == "float32" ? "float32" : "bfloat16";
}

}  // namespace

void AddModelFlags(FlagParser* parser, ModelFlags* flags) {
  parser->Required("model", &flags->model, "DIR", "Hugging Face folder");
  parser->Flag(
      "dtype", &flags->dtype, "DTYPE",
      "computed in: float32 or bfloat16; default: the checkpoint's, on "
      "the CPU float32");
  parser->Switch("allow-nonfinite", &flags->allow_nonfinite,
                 "load weights that are NaN or infinite");
  parser->Flag("device", &flags->device, "DEVICE", "auto, cpu or cuda");
  parser->Flag("threads", &flags->threads, "N", "0: all cores");
}

std::string CheckModelFlags(const ModelFlags& flags) {
  if (!flags.dtype.empty() && flags.dtype != "float32" &&
      flags.dtype != "bfloat16") {
    return absl::StrCat("flag --dtype must be float32 or bfloat16, is ",
                        flags.dtype);
  }
  if (flags.device != "auto" && flags.device != "cpu" &&
      flags.device != "cuda") {
    return absl::StrCat("flag --device must be auto, cpu or cuda, is ",
                        flags.device);
  }
  if (flags.threads < 0) return "flag --threads must not be negative";
  return "";
}

absl::StatusOr<std::unique_ptr<Transformer>> LoadModel(
    const ModelFlags& flags) {
  if (flags.threads > 0) at::set_num_threads(flags.threads);
  COHORT_ASSIGN_OR_RETURN(const at::Device device, OpenDevice(flags.device));
  COHORT_ASSIGN_OR_RETURN(const ModelConfig config,
                          LoadModelConfig(flags.model));
  COHORT_ASSIGN_OR_RETURN(
      const at::ScalarType dtype,
      ChooseDtype(DtypeName(flags, config, device), device));
  COHORT_ASSIGN_OR_RETURN(std::unique_ptr<Transformer> model,
                          Transformer::Create(config, dtype, device));
  COHORT_RETURN_IF_ERROR(LoadWeights(
      flags.model, model.get(), {.allow_nonfinite = flags.allow_nonfinite}));
  model->SetTrainable(false);
  model->WeightsChanged();
  return model;
}

}  // namespace cohort
