// Any bytes as a safetensors file: an error, or tensors whose bytes can all be
// read and converted, never a crash.
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "model/stored_values.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto file = cohort::SafetensorsFile::Parse(bytes, "x.safetensors");
  if (!file.ok()) return 0;
  for (const cohort::StoredTensor& tensor : (*file)->tensors()) {
    // The first of them, where a name would stand for several.
    if ((*file)->Find(tensor.name) != &tensor) __builtin_trap();
    int64_t elements = 1;
    for (const int64_t length : tensor.shape) elements *= length;
    if (elements != tensor.Elements()) __builtin_trap();
    for (const cohort::Dtype to : {cohort::Dtype::kF32, cohort::Dtype::kBf16}) {
      std::vector<float> values(static_cast<size_t>(elements));
      (void)cohort::ConvertTensor(tensor, to, values.data());
      if (tensor.dtype != cohort::Dtype::kF8E4M3 || tensor.shape.size() != 2) {
        continue;
      }
      // Bytes of the matrix serve as its scales: blocks of one column.
      cohort::StoredTensor scales = tensor;
      scales.dtype = cohort::Dtype::kF8E8M0;
      cohort::WeightCopy copy{.file = file->get(),
                              .from = &tensor,
                              .scales = &scales,
                              .block_rows = 1,
                              .block_columns = 1,
                              .to = to,
                              .target = values.data()};
      cohort::CopyWeights(absl::MakeSpan(&copy, 1), 1);
    }
  }
  return 0;
}
