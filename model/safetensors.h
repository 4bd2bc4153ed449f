// The safetensors file format, without LibTorch: an 8-byte little-endian header
// length, a JSON header, then the tensors' bytes without gaps.
//
// Source: https://github.com/huggingface/safetensors, README "Format".
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace cohort {

enum class Dtype {
  kBool,
  kU8,
  kI8,
  kF8E4M3,
  kF8E5M2,
  kF8E8M0,
  kI16,
  kU16,
  kF16,
  kBf16,
  kI32,
  kU32,
  kF32,
  kI64,
  kU64,
  kF64,
};

std::string_view DtypeName(Dtype dtype);  // As in the file: "F32".
int64_t DtypeBytes(Dtype dtype);

struct StoredTensor {
  std::string name;
  Dtype dtype = Dtype::kF32;
  std::vector<int64_t> shape;
  std::string_view bytes;  // Little-endian, row by row; not always aligned.

  int64_t Elements() const;
};

// Immutable once opened. The tensors' bytes live as long as the file object.
class SafetensorsFile {
 public:
  // Maps the file into memory. kNotFound when there is none; kInvalidArgument,
  // naming path and tensor, for anything that is not a whole and consistent
  // safetensors file.
  static absl::StatusOr<std::unique_ptr<SafetensorsFile>> Open(
      const std::string& path);

  // The same over bytes in memory, which must outlive the result.
  static absl::StatusOr<std::unique_ptr<SafetensorsFile>> Parse(
      std::string_view bytes, const std::string& name);

  ~SafetensorsFile();
  SafetensorsFile(const SafetensorsFile&) = delete;
  SafetensorsFile& operator=(const SafetensorsFile&) = delete;

  const std::vector<StoredTensor>& tensors() const { return tensors_; }
  const StoredTensor* Find(std::string_view name) const;

  // Lets the system take back the memory of `bytes`, part of a tensor of this
  // file; they are read again from the file when next looked at. Thread-safe.
  void GiveBack(std::string_view bytes) const;

 private:
  SafetensorsFile() = default;

  std::vector<StoredTensor> tensors_;  // By name.
  void* mapping_ = nullptr;
  size_t mapped_bytes_ = 0;
};

// A tensor to be written: `bytes` is asked for once, in order, so that not all
// tensors need be in memory at once.
struct TensorToStore {
  std::string name;
  Dtype dtype = Dtype::kF32;
  std::vector<int64_t> shape;
  std::function<std::string_view()> bytes;
};

// Writes and syncs a file, replacing what was there; not atomic. The header
// carries the metadata {"format": "pt"}, which transformers asks for.
absl::Status WriteSafetensors(const std::string& path,
                              absl::Span<const TensorToStore> tensors);

}  // namespace cohort
