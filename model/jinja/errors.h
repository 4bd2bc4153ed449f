// What goes wrong in a template.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "absl/status/status.h"

namespace cohort::jinja {

// Nesting of containers, and steps to walk through one.
inline constexpr int kMaxValueDepth = 400;
inline constexpr int64_t kMaxValueWeight = int64_t{1} << 23;
// Bytes of one string.
inline constexpr size_t kMaxStringBytes = size_t{1} << 25;

// An error as Python words it: "TypeError: ...".
absl::Status Error(std::string_view type, std::string_view message);
absl::Status TypeError(std::string_view message);
absl::Status ValueError(std::string_view message);

// kResourceExhausted for containers nested past kMaxValueDepth or heavier than
// kMaxValueWeight.
absl::Status CheckSize(int depth, int64_t weight);

}  // namespace cohort::jinja
