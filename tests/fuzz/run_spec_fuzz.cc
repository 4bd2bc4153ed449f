// The launcher's messages: no bytes may harm the process with privileges, and
// what is read is written as it was.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "proto/check.h"
#include "sandbox/run_spec.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::optional<cohort::RunSpec> spec = cohort::ParseRunSpec(bytes);
  if (spec.has_value()) {
    COHORT_CHECK(cohort::SerializeRunSpec(*spec) == bytes);
  }
  return 0;
}
