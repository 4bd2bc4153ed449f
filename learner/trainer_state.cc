#include "learner/trainer_state.h"

#include <fcntl.h>
#include <torch/types.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "learner/state_json.h"
#include "model/checkpoint.h"
#include "model/safetensors.h"
#include "model/stored_values.h"
#include "proto/rows.h"
#include "proto/status.h"

namespace cohort {
namespace {

namespace fs = std::filesystem;

absl::Status FileError(std::error_code error, const std::string& path) {
  return absl::ErrnoToStatus(error.value(), path);
}

absl::Status SyncPath(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return absl::ErrnoToStatus(errno, path);
  const int result = fsync(fd);
  const int error = errno;
  close(fd);
  return result == 0 ? absl::OkStatus() : absl::ErrnoToStatus(error, path);
}

// All files below `folder`, then the folders themselves.
absl::Status SyncTree(const std::string& folder) {
  std::error_code error;
  for (const fs::directory_entry& entry :
       fs::recursive_directory_iterator(folder, error)) {
    COHORT_RETURN_IF_ERROR(SyncPath(entry.path().string()));
  }
  if (error) return FileError(error, folder);
  return SyncPath(folder);
}

absl::Status WriteTensors(const std::string& path,
                          const std::vector<NamedTensor>& tensors) {
  std::vector<TensorToStore> stored;
  std::vector<at::Tensor> copies(tensors.size());
  for (size_t i = 0; i < tensors.size(); ++i) {
    const at::Tensor& tensor = tensors[i].tensor;
    at::Tensor* const copy = &copies[i];
    stored.push_back(
        {tensors[i].name, Dtype::kF32, tensor.sizes().vec(), [tensor, copy] {
           *copy = tensor.detach().to(at::kCPU, at::kFloat).contiguous();
           return std::string_view(
               static_cast<const char*>(copy->const_data_ptr()),
               copy->nbytes());
         }});
  }
  return WriteSafetensors(path, stored);
}

absl::StatusOr<std::vector<NamedTensor>> ReadTensors(const std::string& path) {
  COHORT_ASSIGN_OR_RETURN(const auto file, SafetensorsFile::Open(path));
  std::vector<NamedTensor> tensors;
  for (const StoredTensor& stored : file->tensors()) {
    at::Tensor tensor = torch::empty(stored.shape, at::kFloat);
    COHORT_ASSIGN_OR_RETURN(
        const int64_t not_finite,
        ConvertTensor(stored, Dtype::kF32, tensor.mutable_data_ptr()));
    if (not_finite > 0) {
      return absl::DataLossError(
          absl::StrCat(path, ": tensor '", stored.name, "' is not finite"));
    }
    tensors.push_back({stored.name, std::move(tensor)});
  }
  return tensors;
}

absl::Status WriteParts(const std::string& folder, const TrainerState& state,
                        const CheckpointParts& parts) {
  COHORT_RETURN_IF_ERROR(SaveFolder(*parts.policy, parts.config_json,
                                    parts.source_folder, folder));
  const std::string inner = folder + kCheckpointState;
  std::error_code error;
  fs::create_directories(inner, error);
  if (error) return FileError(error, inner);
  if (parts.optimizer != nullptr) {
    COHORT_RETURN_IF_ERROR(WriteTensors(inner + "/optimizer.safetensors",
                                        parts.optimizer->State()));
  }
  if (parts.reference != nullptr) {
    COHORT_RETURN_IF_ERROR(WriteTensors(inner + "/reference.safetensors",
                                        parts.reference->HfTensors()));
  }
  return WriteFileAtomically(inner + "/state.json", PrintState(state));
}

absl::Status TurnLatest(const std::string& checkpoints,
                        const std::string& name) {
  const std::string beside = checkpoints + "/latest" + kCheckpointUnfinished;
  std::error_code error;
  fs::remove(beside, error);
  fs::create_directory_symlink(name, beside, error);
  if (error) return FileError(error, beside);
  fs::rename(beside, checkpoints + "/latest", error);
  if (error) return FileError(error, checkpoints + "/latest");
  return SyncPath(checkpoints);
}

}  // namespace

absl::StatusOr<std::string> SaveCheckpoint(const std::string& checkpoints,
                                           const TrainerState& state,
                                           const CheckpointParts& parts) {
  const std::string name = CheckpointName(state.step);
  const std::string path = checkpoints + "/" + name;
  const std::string beside = path + kCheckpointUnfinished;
  std::error_code error;
  fs::remove_all(beside, error);
  fs::create_directories(beside, error);
  if (error) return FileError(error, beside);
  COHORT_RETURN_IF_ERROR(WriteParts(beside, state, parts));
  COHORT_RETURN_IF_ERROR(SyncTree(beside));
  if (fs::exists(path)) {
    // Of this very step, as a stage's end and its last step are: moved aside,
    // so that there is a whole folder at every moment.
    const std::string old = path + ".old" + kCheckpointUnfinished;
    fs::remove_all(old, error);
    fs::rename(path, old, error);
    if (error) return FileError(error, path);
  }
  fs::rename(beside, path, error);
  if (error) return FileError(error, path);
  COHORT_RETURN_IF_ERROR(TurnLatest(checkpoints, name));
  fs::remove_all(path + ".old" + kCheckpointUnfinished, error);
  return path;
}

absl::Status LoadOptimizer(const std::string& checkpoint,
                           const TrainerState& state, AdamW* optimizer) {
  COHORT_ASSIGN_OR_RETURN(
      const std::vector<NamedTensor> tensors,
      ReadTensors(checkpoint + kCheckpointState + "/optimizer.safetensors"));
  return optimizer->Restore(tensors, state.optimizer_steps);
}

absl::Status LoadReference(const std::string& checkpoint,
                           Transformer* reference) {
  const at::NoGradGuard no_grad;
  const std::string path =
      checkpoint + kCheckpointState + "/reference.safetensors";
  COHORT_ASSIGN_OR_RETURN(std::vector<NamedTensor> tensors, ReadTensors(path));
  std::vector<NamedTensor> own = reference->HfTensors();
  const auto by_name = [](const NamedTensor& a, const NamedTensor& b) {
    return a.name < b.name;
  };
  std::sort(tensors.begin(), tensors.end(), by_name);
  std::sort(own.begin(), own.end(), by_name);
  for (size_t i = 0; i < std::max(own.size(), tensors.size()); ++i) {
    if (i >= own.size() || i >= tensors.size() ||
        own[i].name != tensors[i].name ||
        own[i].tensor.sizes() != tensors[i].tensor.sizes()) {
      return absl::DataLossError(
          absl::StrCat(path, ": is not of this run's model"));
    }
    own[i].tensor.copy_(tensors[i].tensor);
  }
  reference->WeightsChanged();
  return absl::OkStatus();
}

}  // namespace cohort
