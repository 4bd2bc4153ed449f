// The stored weights of a Hugging Face folder: model.safetensors, or the shards
// that model.safetensors.index.json names. Without LibTorch.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/safetensors.h"

namespace cohort {

// What is wrong with a folder's weights, collected tensor by tensor, so that
// one error lists everything.
class WeightProblems {
 public:
  // `kind` stands before the names in the error: "missing", "wrong shape".
  void Add(const std::string& kind, const std::string& name) {
    names_[kind].push_back(name);
  }
  bool empty() const { return names_.empty(); }

  // kInvalidArgument, "<folder>: missing: a, b; unexpected: c"; a long list of
  // one kind is cut and counted. Ok where there are none.
  absl::Status ToStatus(const std::string& folder) const;

 private:
  std::map<std::string, std::vector<std::string>> names_;
};

struct FoundTensor {
  const SafetensorsFile* file;
  const StoredTensor* tensor;
};

class WeightFolder {
 public:
  // Maps all files and reads their headers. A folder with both forms is read
  // as transformers reads it, from the single file.
  //   kNotFound         neither form is there, or shards are missing: all are
  //                     named
  //   kInvalidArgument  the index or a file is not well-formed
  static absl::StatusOr<WeightFolder> Open(const std::string& folder);

  // By name. A tensor that lies in several shards is one of them here.
  const std::map<std::string, FoundTensor>& tensors() const { return tensors_; }

  // Tensors that lie in several shards, or not where the index says.
  const WeightProblems& problems() const { return problems_; }

 private:
  std::vector<std::unique_ptr<SafetensorsFile>> files_;
  std::map<std::string, FoundTensor> tensors_;
  WeightProblems problems_;
};

}  // namespace cohort
