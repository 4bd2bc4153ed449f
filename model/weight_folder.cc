#include "model/weight_folder.h"

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "model/text_file.h"
#include "proto/log.h"
#include "proto/status.h"

namespace cohort {
namespace {

using nlohmann::json;

constexpr size_t kNamesPerProblem = 8;

struct Index {
  // Names of the shards, and what lies in each.
  std::map<std::string, std::set<std::string>> shards;
  int64_t total_size = -1;  // Of all tensors, in bytes; -1: not said.
};

absl::StatusOr<Index> ReadIndex(const std::string& path) {
  COHORT_ASSIGN_OR_RETURN(const std::string text, ReadTextFile(path));
  const json root = json::parse(text, nullptr, /*allow_exceptions=*/false);
  const auto bad = [&](const std::string& what) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": ", what));
  };
  if (!root.is_object() || !root.contains("weight_map") ||
      !root["weight_map"].is_object() || root["weight_map"].empty()) {
    return bad("has no object weight_map");
  }
  Index index;
  for (const auto& [name, file] : root["weight_map"].items()) {
    if (!file.is_string() || file == "" ||
        absl::StrContains(file.get<std::string>(), "/")) {
      return bad(absl::StrCat(name, " lies in ", file.dump(),
                              ", which is no name of a file beside the index"));
    }
    index.shards[file.get<std::string>()].insert(name);
  }
  if (root.contains("metadata") && root["metadata"].is_object() &&
      root["metadata"].contains("total_size")) {
    const json& total = root["metadata"]["total_size"];
    // Some writers make it a number with a fraction of zero.
    if (!total.is_number() || total < 0 || total > 9e18) {
      return bad(
          absl::StrCat("total_size ", total.dump(), " is no number of bytes"));
    }
    index.total_size = total.get<int64_t>();
  }
  return index;
}

absl::Status CheckShardsAreThere(const std::string& folder,
                                 const Index& index) {
  std::vector<std::string> missing;
  for (const auto& [name, tensors] : index.shards) {
    if (!std::filesystem::exists(absl::StrCat(folder, "/", name))) {
      missing.push_back(absl::StrCat(name, " (", tensors.size(), " tensors)"));
    }
  }
  if (missing.empty()) return absl::OkStatus();
  return absl::NotFoundError(
      absl::StrCat(folder, ": shards that the index names are missing: ",
                   absl::StrJoin(missing, ", ")));
}

}  // namespace

absl::Status WeightProblems::ToStatus(const std::string& folder) const {
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

absl::StatusOr<WeightFolder> WeightFolder::Open(const std::string& folder) {
  const std::string single = absl::StrCat(folder, "/model.safetensors");
  const std::string index_path = absl::StrCat(single, ".index.json");
  Index index;
  if (std::filesystem::exists(single)) {
    index.shards["model.safetensors"];
  } else if (std::filesystem::exists(index_path)) {
    COHORT_ASSIGN_OR_RETURN(index, ReadIndex(index_path));
    COHORT_RETURN_IF_ERROR(CheckShardsAreThere(folder, index));
  } else {
    return absl::NotFoundError(absl::StrCat(
        folder, ": has neither model.safetensors nor its index.json"));
  }
  WeightFolder weights;
  int64_t total = 0;
  for (const auto& [file_name, expected] : index.shards) {
    COHORT_ASSIGN_OR_RETURN(
        std::unique_ptr<SafetensorsFile> file,
        SafetensorsFile::Open(absl::StrCat(folder, "/", file_name)));
    for (const StoredTensor& tensor : file->tensors()) {
      total += static_cast<int64_t>(tensor.bytes.size());
      if (!weights.tensors_
               .emplace(tensor.name, FoundTensor{file.get(), &tensor})
               .second) {
        weights.problems_.Add("duplicated", tensor.name);
      }
    }
    for (const std::string& name : expected) {
      if (file->Find(name) == nullptr) {
        weights.problems_.Add(absl::StrCat("missing from ", file_name), name);
      }
    }
    weights.files_.push_back(std::move(file));
  }
  // Published indices are often stale in this; transformers does not look.
  if (index.total_size >= 0 && index.total_size != total) {
    COHORT_LOG(WARNING) << index_path << ": total_size is " << index.total_size
                        << ", the shards hold " << total << " bytes";
  }
  return weights;
}

}  // namespace cohort
