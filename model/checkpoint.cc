#include "model/checkpoint.h"

#include <torch/types.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "model/guard.h"
#include "model/safetensors.h"
#include "proto/status.h"

namespace cohort {
namespace {

using nlohmann::json;

constexpr size_t kNamesPerProblem = 8;

absl::StatusOr<std::string> ReadText(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return absl::NotFoundError(absl::StrCat("no file ", path));
  std::ostringstream text;
  text << file.rdbuf();
  if (file.bad()) return absl::InternalError(absl::StrCat("read ", path));
  return std::move(text).str();
}

absl::Status WriteText(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << text;
  file.close();
  if (!file) return absl::InternalError(absl::StrCat("cannot write ", path));
  return absl::OkStatus();
}

// What is wrong with a folder's weights, tensor by tensor.
class Problems {
 public:
  void Add(const std::string& kind, const std::string& name) {
    names_[kind].push_back(name);
  }

  absl::Status ToStatus(const std::string& folder) const {
    if (names_.empty()) return absl::OkStatus();
    std::vector<std::string> parts;
    for (const auto& [kind, names] : names_) {
      const size_t shown = std::min(names.size(), kNamesPerProblem);
      std::string part = absl::StrCat(
          kind, ": ",
          absl::StrJoin(names.begin(), names.begin() + static_cast<long>(shown),
                        ", "));
      if (names.size() > shown) {
        absl::StrAppend(&part, " and ", names.size() - shown, " more");
      }
      parts.push_back(std::move(part));
    }
    return absl::InvalidArgumentError(
        absl::StrCat(folder, ": ", absl::StrJoin(parts, "; ")));
  }

 private:
  std::map<std::string, std::vector<std::string>> names_;
};

// The shards of a folder and which tensor lies where.
struct Shards {
  std::vector<std::unique_ptr<SafetensorsFile>> files;
  std::map<std::string, const StoredTensor*> tensors;
};

// Names of the shards, and what the index says lies in each.
absl::StatusOr<std::map<std::string, std::set<std::string>>> ReadIndex(
    const std::string& path) {
  COHORT_ASSIGN_OR_RETURN(const std::string text, ReadText(path));
  const json root = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!root.is_object() || !root.contains("weight_map") ||
      !root["weight_map"].is_object() || root["weight_map"].empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": has no object weight_map"));
  }
  std::map<std::string, std::set<std::string>> names;
  for (const auto& [name, file] : root["weight_map"].items()) {
    if (!file.is_string() || file == "" ||
        absl::StrContains(file.get<std::string>(), "/")) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ": ", name, " lies in ", file.dump(),
                       ", which is no name of a file beside the index"));
    }
    names[file.get<std::string>()].insert(name);
  }
  return names;
}

absl::StatusOr<Shards> OpenShards(const std::string& folder,
                                  Problems* problems) {
  const std::string single = absl::StrCat(folder, "/model.safetensors");
  const std::string index = absl::StrCat(single, ".index.json");
  std::map<std::string, std::set<std::string>> names;
  if (std::filesystem::exists(index)) {
    COHORT_ASSIGN_OR_RETURN(names, ReadIndex(index));
  } else if (std::filesystem::exists(single)) {
    names["model.safetensors"];
  } else {
    return absl::NotFoundError(absl::StrCat(
        folder, ": has neither model.safetensors nor its index.json"));
  }
  Shards shards;
  for (const auto& [file_name, expected] : names) {
    COHORT_ASSIGN_OR_RETURN(
        std::unique_ptr<SafetensorsFile> file,
        SafetensorsFile::Open(absl::StrCat(folder, "/", file_name)));
    for (const StoredTensor& tensor : file->tensors()) {
      if (!shards.tensors.emplace(tensor.name, &tensor).second) {
        problems->Add("duplicated", tensor.name);
      }
    }
    for (const std::string& name : expected) {
      if (file->Find(name) == nullptr) {
        problems->Add(absl::StrCat("missing from ", file_name), name);
      }
    }
    shards.files.push_back(std::move(file));
  }
  return shards;
}

// Tensors that folders carry and this model does without: the layers of the
// multi-token prediction head, and tables that old files hold.
bool IsIgnored(const std::string& name, const ModelConfig& config) {
  if (absl::EndsWith(name, ".rotary_emb.inv_freq")) return true;
  if (config.tie_word_embeddings && name == "lm_head.weight") return true;
  if (!absl::StartsWith(name, "model.layers.")) return false;
  const std::vector<std::string> parts = absl::StrSplit(name, '.');
  int64_t layer = 0;
  return absl::SimpleAtoi(parts[2], &layer) &&
         layer >= config.num_hidden_layers &&
         layer < config.num_hidden_layers + config.num_nextn_predict_layers;
}

std::string ShapeText(at::IntArrayRef shape) {
  return absl::StrCat("[", absl::StrJoin(shape, ", "), "]");
}

absl::Status CopyWeight(const StoredTensor& stored, const at::Tensor& view,
                        Problems* problems) {
  if (at::IntArrayRef(stored.shape) != view.sizes()) {
    problems->Add("wrong shape",
                  absl::StrCat(stored.name, " is ", ShapeText(stored.shape),
                               ", the config makes ", ShapeText(view.sizes())));
    return absl::OkStatus();
  }
  const at::Tensor wide = at::empty(view.sizes(), at::kFloat);
  COHORT_ASSIGN_OR_RETURN(
      const bool finite,
      WidenToFloat(stored, {wide.mutable_data_ptr<float>(),
                            static_cast<size_t>(wide.numel())}));
  if (!finite) problems->Add("not finite", stored.name);
  view.copy_(wide);
  return absl::OkStatus();
}

absl::Status CopyWeights(const Shards& shards, const Transformer& model,
                         Problems* problems) {
  const at::NoGradGuard no_grad;
  std::set<std::string> wanted;
  for (const NamedTensor& view : model.HfTensors()) {
    wanted.insert(view.name);
    const auto it = shards.tensors.find(view.name);
    if (it == shards.tensors.end()) {
      problems->Add("missing", view.name);
      continue;
    }
    COHORT_RETURN_IF_ERROR(CopyWeight(*it->second, view.tensor, problems));
  }
  for (const auto& [name, tensor] : shards.tensors) {
    if (!wanted.contains(name) && !IsIgnored(name, model.config())) {
      problems->Add("unexpected", name);
    }
  }
  return absl::OkStatus();
}

// The folder's config with what is no longer true of it corrected: weights are
// float32, and the multi-token prediction layers were not kept.
absl::StatusOr<std::string> ConfigToSave(const std::string& config_json) {
  json root = json::parse(config_json, nullptr, /*allow_exceptions=*/false);
  if (!root.is_object()) {
    return absl::InvalidArgumentError(
        "config to save: the text is not a JSON object");
  }
  if (root.contains("torch_dtype")) {
    root["torch_dtype"] = "float32";
  } else {
    root["dtype"] = "float32";
  }
  root["num_nextn_predict_layers"] = 0;
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

absl::Status CopyTokenizer(const std::string& from, const std::string& to) {
  for (const char* const name :
       {"tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
        "added_tokens.json", "vocab.json", "merges.txt", "tokenizer.model",
        "chat_template.jinja"}) {
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

absl::Status WriteWeights(const Transformer& model, const std::string& path) {
  std::vector<TensorToStore> tensors;
  at::Tensor held;  // What the bytes last asked for belong to.
  for (const NamedTensor& view : model.HfTensors()) {
    tensors.push_back(
        {.name = view.name,
         .dtype = Dtype::kF32,
         .shape = view.tensor.sizes().vec(),
         .bytes = [&held, tensor = view.tensor] {
           held = tensor.to(at::kCPU, at::kFloat).contiguous();
           return std::string_view(
               reinterpret_cast<const char*>(held.const_data_ptr<float>()),
               held.nbytes());
         }});
  }
  return WriteSafetensors(path, tensors);
}

}  // namespace

absl::StatusOr<ModelConfig> LoadModelConfig(const std::string& folder) {
  const std::string path = absl::StrCat(folder, "/config.json");
  COHORT_ASSIGN_OR_RETURN(const std::string text, ReadText(path));
  return ParseModelConfig(text, path);
}

absl::Status LoadWeights(const std::string& folder, Transformer* model) {
  Problems problems;
  COHORT_ASSIGN_OR_RETURN(const Shards shards, OpenShards(folder, &problems));
  const absl::Status copied =
      GuardTorch([&] { return CopyWeights(shards, *model, &problems); });
  model->WeightsChanged();
  COHORT_RETURN_IF_ERROR(copied);
  return problems.ToStatus(folder);
}

absl::Status SaveFolder(const Transformer& model,
                        const std::string& config_json,
                        const std::string& source_folder,
                        const std::string& folder) {
  COHORT_ASSIGN_OR_RETURN(const std::string config, ConfigToSave(config_json));
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) {
    return absl::InternalError(
        absl::StrCat("create ", folder, ": ", error.message()));
  }
  COHORT_RETURN_IF_ERROR(
      WriteText(absl::StrCat(folder, "/config.json"), config));
  COHORT_RETURN_IF_ERROR(
      WriteText(absl::StrCat(folder, "/generation_config.json"),
                GenerationConfig(model.config())));
  if (!source_folder.empty()) {
    COHORT_RETURN_IF_ERROR(CopyTokenizer(source_folder, folder));
  }
  return GuardTorch([&] {
    return WriteWeights(model, absl::StrCat(folder, "/model.safetensors"));
  });
}

}  // namespace cohort
