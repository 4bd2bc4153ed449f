#include "sandbox/limits.h"

#include <unistd.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "proto/status.h"

namespace cohort {
namespace {

absl::Status CheckRange(const char* name, int64_t value, int64_t most,
                        const char* unit) {
  if (value >= 1 && value <= most) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "limit ", name, " is ", value, " ", unit, "; must be 1 to ", most));
}

}  // namespace

absl::Status CheckLimits(const Limits& limits) {
  constexpr int64_t kMostMs = int64_t{24} * 3600 * 1000;
  constexpr int64_t kMostOutput = int64_t{1} << 30;
  const int64_t machine_bytes =
      int64_t{sysconf(_SC_PHYS_PAGES)} * sysconf(_SC_PAGESIZE);
  COHORT_RETURN_IF_ERROR(
      CheckRange("cpu", absl::ToInt64Milliseconds(limits.cpu), kMostMs, "ms"));
  COHORT_RETURN_IF_ERROR(CheckRange(
      "wall", absl::ToInt64Milliseconds(limits.wall), kMostMs, "ms"));
  COHORT_RETURN_IF_ERROR(CheckRange(
      "wall_most",
      absl::ToInt64Milliseconds(std::max(limits.wall_most, limits.wall)),
      kMostMs, "ms"));
  COHORT_RETURN_IF_ERROR(
      CheckRange("memory", limits.memory_bytes, machine_bytes, "bytes"));
  COHORT_RETURN_IF_ERROR(
      CheckRange("disk", limits.disk_bytes, machine_bytes, "bytes"));
  COHORT_RETURN_IF_ERROR(
      CheckRange("output", limits.output_bytes, kMostOutput, "bytes"));
  COHORT_RETURN_IF_ERROR(
      CheckRange("processes", limits.processes, 32768, "processes"));
  return CheckRange("descriptors", limits.descriptors, 65536, "descriptors");
}

}  // namespace cohort
