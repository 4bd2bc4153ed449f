#include "proto/parquet_library.h"

extern "C" const cohort::ParquetLibrary* CohortParquetLibrary();

extern "C" const cohort::ParquetLibrary* CohortParquetLibrary() {
  static constexpr cohort::ParquetLibrary kLibrary = {
      .read = cohort::ReadParquetRows, .write = cohort::WriteParquetRows};
  return &kLibrary;
}
