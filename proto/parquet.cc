#include "proto/parquet.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "proto/descriptor.h"
#include "proto/parquet_library.h"
#include "proto/rows.h"
#include "proto/status.h"

namespace cohort {
namespace {

absl::StatusOr<const ParquetLibrary*> LoadParquetLibrary() {
  // Found by the search path of this program or library.
  void* const library = dlopen("libcohort_parquet.so", RTLD_LAZY | RTLD_LOCAL);
  if (library == nullptr) {
    return absl::FailedPreconditionError(
        absl::StrCat("cannot load the Parquet library: ", dlerror()));
  }
  const auto entry = reinterpret_cast<ParquetLibraryEntry>(
      dlsym(library, kParquetLibraryEntry));
  if (entry == nullptr) {
    return absl::FailedPreconditionError(
        absl::StrCat("libcohort_parquet.so is of another build: ", dlerror()));
  }
  return entry();
}

}  // namespace

absl::Status ForEachParquetRow(
    const std::string& path,
    const std::function<absl::Status(int64_t number, std::string_view json)>&
        use) {
  {
    const Descriptor readable(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (readable.get() < 0) {
      return absl::ErrnoToStatus(errno, absl::StrCat("cannot open ", path));
    }
  }
  COHORT_ASSIGN_OR_RETURN(const ParquetLibrary* const library,
                          LoadParquetLibrary());
  return library->read(path, use);
}

absl::Status WriteParquet(const std::string& rows,
                          const std::vector<ParquetColumn>& columns,
                          const std::string& path) {
  COHORT_ASSIGN_OR_RETURN(const ParquetLibrary* const library,
                          LoadParquetLibrary());
  const std::string temporary = absl::StrCat(path, ".tmp");
  absl::Status status = library->write(rows, columns, temporary);
  if (status.ok()) return PublishFile(temporary, path);
  unlink(temporary.c_str());
  return status;
}

}  // namespace cohort
