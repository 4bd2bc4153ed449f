// Parquet files <-> rows of JSON, the form in which everything here reads rows.
//
// Arrow stays inside libcohort_parquet.so, which is loaded when the first
// Parquet file is met: loading it takes longer than the whole start of a
// process that needs none.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

namespace cohort {

enum class ParquetType {
  kText,    // UTF-8.
  kWhole,   // int64.
  kNumber,  // float64.
  kYesNo,
  kTokens,  // List of int32.
  kStruct,  // Of `parts`.
  kStructs  // List of structs of `parts`.
};

// A column to write: what the rows' field of that name holds. A field that is
// missing or null is null in the file.
struct ParquetColumn {
  std::string name;
  ParquetType type = ParquetType::kText;
  std::vector<ParquetColumn> parts = {};
};

// Calls `use` with every row of a Parquet file as one line of JSON, and its
// number, from 1. Texts, numbers, lists, structs and dictionaries become JSON's
// own; dates, times and decimals become text; a NaN is null, as Python's
// readers mean it; bytes that are no text are an object, {"bytes": <how many>},
// so that a column that nobody asks for does not stand in the way. Holds one
// batch of rows. Ends at the first error of `use`, which it returns as it is.
//   kNotFound, kPermissionDenied   the file cannot be opened
//   kInvalidArgument               not a Parquet file
//   kFailedPrecondition            the library is not where it was installed
absl::Status ForEachParquetRow(
    const std::string& path,
    const std::function<absl::Status(int64_t number, std::string_view json)>&
        use);

// Writes the rows of the JSONL file `rows` to the Parquet file `path`, whole or
// not at all (see PublishFile). Fields that `columns` does not name are left
// out. The same rows make the same bytes. Holds one row group.
//   kInvalidArgument  a field is of another type than its column
absl::Status WriteParquet(const std::string& rows,
                          const std::vector<ParquetColumn>& columns,
                          const std::string& path);

}  // namespace cohort
