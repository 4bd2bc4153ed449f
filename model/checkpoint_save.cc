#include <torch/types.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "model/checkpoint.h"
#include "model/guard.h"
#include "model/safetensors.h"
#include "model/text_file.h"
#include "proto/status.h"

namespace cohort {
namespace {

using nlohmann::json;

// The folder's config with what is no longer true of it corrected: the dtype,
// and that weights are quantised. Both names of the dtype are written:
// transformers 4 knows the older one alone.
absl::StatusOr<std::string> ConfigToSave(const std::string& config_json,
                                         const std::string& dtype) {
  json root = json::parse(config_json, nullptr, /*allow_exceptions=*/false);
  if (!root.is_object()) {
    return absl::InvalidArgumentError(
        "config to save: the text is not a JSON object");
  }
  root["torch_dtype"] = dtype;
  root["dtype"] = dtype;
  root.erase("quantization_config");
  return root.dump(2) + "\n";
}

std::string GenerationConfig(const ModelConfig& config) {
  json root = {{"_from_model_config", true}};
  if (config.bos_token_id >= 0) root["bos_token_id"] = config.bos_token_id;
  if (config.pad_token_id >= 0) root["pad_token_id"] = config.pad_token_id;
  if (config.eos_token_ids.size() == 1) {
    root["eos_token_id"] = config.eos_token_ids[0];
  } else if (!config.eos_token_ids.empty()) {
    root["eos_token_id"] = config.eos_token_ids;
  }
  return root.dump(2) + "\n";
}

absl::Status CopyCompanions(const std::string& from, const std::string& to) {
  for (const char* const name :
       {"generation_config.json", "tokenizer.json", "tokenizer_config.json",
        "special_tokens_map.json", "added_tokens.json", "vocab.json",
        "merges.txt", "tokenizer.model", "chat_template.jinja"}) {
    const std::string source = absl::StrCat(from, "/", name);
    if (!std::filesystem::exists(source)) continue;
    std::error_code error;
    std::filesystem::copy_file(
        source, absl::StrCat(to, "/", name),
        std::filesystem::copy_options::overwrite_existing, error);
    if (error) {
      return absl::InternalError(
          absl::StrCat("copy ", source, " to ", to, ": ", error.message()));
    }
  }
  return absl::OkStatus();
}

Dtype StoredDtype(const std::string& name, Dtype dtype) {
  // Steps of its update vanish beside it in bfloat16; transformers keeps it,
  // too.
  return absl::EndsWith(name, "e_score_correction_bias") ? Dtype::kF32 : dtype;
}

// What the folder holds: the prediction head comes with copies of the embedding
// and the output head, as it is published.
std::vector<NamedTensor> ViewsToStore(const Transformer& model) {
  std::vector<NamedTensor> views = model.HfTensors();
  if (model.config().num_nextn_predict_layers == 0) return views;
  const std::string prefix =
      absl::StrCat("model.layers.", model.config().num_hidden_layers, ".");
  views.push_back({prefix + "embed_tokens.weight", model.Embedding()});
  views.push_back({prefix + "shared_head.head.weight", model.Head()});
  return views;
}

struct Shard {
  std::vector<TensorToStore> tensors;
  int64_t bytes = 0;
};

// Tensors in their order, a new shard where one would grow above `most` bytes.
// `held` keeps the tensor alive that bytes were last asked of.
std::vector<Shard> SplitIntoShards(const Transformer& model, Dtype dtype,
                                   int64_t most, at::Tensor* held) {
  std::vector<Shard> shards(1);
  for (const NamedTensor& view : ViewsToStore(model)) {
    const Dtype stored = StoredDtype(view.name, dtype);
    const int64_t bytes = view.tensor.numel() * DtypeBytes(stored);
    if (shards.back().bytes > 0 && shards.back().bytes + bytes > most) {
      shards.emplace_back();
    }
    shards.back().bytes += bytes;
    const at::ScalarType torch_dtype =
        stored == Dtype::kBf16 ? at::kBFloat16 : at::kFloat;
    shards.back().tensors.push_back(
        {.name = view.name,
         .dtype = stored,
         .shape = view.tensor.sizes().vec(),
         .bytes = [held, torch_dtype, tensor = view.tensor] {
           *held = tensor.detach().to(at::kCPU, torch_dtype).contiguous();
           return std::string_view(
               static_cast<const char*>(held->const_data_ptr()),
               held->nbytes());
         }});
  }
  return shards;
}

absl::Status WriteWeights(const Transformer& model, const std::string& folder,
                          Dtype dtype, int64_t shard_bytes) {
  at::Tensor held;
  const std::vector<Shard> shards =
      SplitIntoShards(model, dtype, shard_bytes, &held);
  const std::string single = absl::StrCat(folder, "/model.safetensors");
  if (shards.size() == 1) return WriteSafetensors(single, shards[0].tensors);
  json map = json::object();
  int64_t total = 0;
  for (size_t i = 0; i < shards.size(); ++i) {
    const std::string name =
        absl::StrFormat("model-%05d-of-%05d.safetensors", i + 1, shards.size());
    COHORT_RETURN_IF_ERROR(
        WriteSafetensors(absl::StrCat(folder, "/", name), shards[i].tensors));
    total += shards[i].bytes;
    for (const TensorToStore& tensor : shards[i].tensors) {
      map[tensor.name] = name;
    }
  }
  const json index = {{"metadata", {{"total_size", total}}},
                      {"weight_map", std::move(map)}};
  return WriteTextFile(absl::StrCat(single, ".index.json"),
                       index.dump(2) + "\n");
}

}  // namespace

absl::Status SaveFolder(const Transformer& model,
                        const std::string& config_json,
                        const std::string& source_folder,
                        const std::string& folder, const SaveOptions& options) {
  if (options.dtype != "float32" && options.dtype != "bfloat16") {
    return absl::InvalidArgumentError(
        absl::StrCat("dtype to save \"", options.dtype,
                     "\" is neither float32 nor bfloat16"));
  }
  COHORT_ASSIGN_OR_RETURN(const std::string config,
                          ConfigToSave(config_json, options.dtype));
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) {
    return absl::InternalError(
        absl::StrCat("create ", folder, ": ", error.message()));
  }
  COHORT_RETURN_IF_ERROR(
      WriteTextFile(absl::StrCat(folder, "/config.json"), config));
  COHORT_RETURN_IF_ERROR(
      WriteTextFile(absl::StrCat(folder, "/generation_config.json"),
                    GenerationConfig(model.config())));
  if (!source_folder.empty()) {
    COHORT_RETURN_IF_ERROR(CopyCompanions(source_folder, folder));
  }
  const Dtype dtype = options.dtype == "bfloat16" ? Dtype::kBf16 : Dtype::kF32;
  return GuardTorch(
      [&] { return WriteWeights(model, folder, dtype, options.shard_bytes); });
}

}  // namespace cohort
