// What comes out of a jail: frames that a submission may have forged; and the
// literals of test files.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "proto/check.h"
#include "rewards/py_value.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const absl::StatusOr<cohort::PyValue> value = cohort::DecodePyValue(bytes);
  if (value.ok()) {
    const absl::StatusOr<cohort::PyValue> again =
        cohort::DecodePyValue(cohort::EncodePyValue(*value));
    COHORT_CHECK(again.ok());
    cohort::SamePyValue(*value, *again, {.absolute = 1e-6, .relative = 0});
    cohort::ShowPyValue(*value, 100);
  }
  cohort::ParsePyLiteral(bytes).IgnoreError();
  cohort::ParsePyJson(bytes).IgnoreError();
  return 0;
}
