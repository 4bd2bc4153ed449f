// Tensors of a safetensors fixture.
#pragma once

#include <torch/types.h>

#include <memory>
#include <string>
#include <vector>

#include "model/safetensors.h"
#include "proto/check.h"

namespace cohort {

class StoredTensors {
 public:
  explicit StoredTensors(const std::string& path) {
    auto file = SafetensorsFile::Open(path);
    if (!file.ok())
      std::fprintf(stderr, "%s\n", file.status().ToString().c_str());
    COHORT_CHECK(file.ok());
    file_ = *std::move(file);
  }

  bool Has(const std::string& name) const {
    return file_->Find(name) != nullptr;
  }

  // A copy. The tensor must be there and of a dtype that fixtures use.
  at::Tensor Get(const std::string& name) const {
    const StoredTensor* const stored = file_->Find(name);
    if (stored == nullptr) std::fprintf(stderr, "no %s\n", name.c_str());
    COHORT_CHECK(stored != nullptr);
    at::ScalarType dtype = at::kFloat;
    if (stored->dtype == Dtype::kI64) dtype = at::kLong;
    if (stored->dtype == Dtype::kI32) dtype = at::kInt;
    if (stored->dtype == Dtype::kF64) dtype = at::kDouble;
    COHORT_CHECK(DtypeBytes(stored->dtype) ==
                 static_cast<int64_t>(c10::elementSize(dtype)));
    at::Tensor tensor = at::empty(stored->shape, dtype);
    std::memcpy(tensor.mutable_data_ptr(), stored->bytes.data(),
                stored->bytes.size());
    return tensor;
  }

  std::vector<int32_t> Ids(const std::string& name) const {
    const at::Tensor ids = Get(name).to(at::kInt);
    const int32_t* const data = ids.const_data_ptr<int32_t>();
    return {data, data + ids.numel()};
  }

 private:
  std::unique_ptr<SafetensorsFile> file_;
};

}  // namespace cohort
