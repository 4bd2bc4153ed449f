// What libcohort_parquet.so exports; see proto/parquet.h.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "proto/parquet.h"

namespace cohort {

struct ParquetLibrary {
  absl::Status (*read)(
      const std::string& path,
      const std::function<absl::Status(int64_t number, std::string_view json)>&
          use);
  // Writes `path` itself: no temporary file, no fsync.
  absl::Status (*write)(const std::string& rows,
                        const std::vector<ParquetColumn>& columns,
                        const std::string& path);
};

// What the library exports, under this name.
inline constexpr char kParquetLibraryEntry[] = "CohortParquetLibrary";
using ParquetLibraryEntry = const ParquetLibrary* (*)();

absl::Status ReadParquetRows(
    const std::string& path,
    const std::function<absl::Status(int64_t number, std::string_view json)>&
        use);
absl::Status WriteParquetRows(const std::string& rows,
                              const std::vector<ParquetColumn>& columns,
                              const std::string& path);

}  // namespace cohort
