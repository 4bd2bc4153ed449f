#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "model/safetensors.h"
#include "proto/check.h"
#include "proto/status.h"

namespace cohort {
namespace {

int64_t SizeOf(const TensorToStore& tensor) {
  int64_t size = DtypeBytes(tensor.dtype);
  for (const int64_t length : tensor.shape) size *= length;
  return size;
}

// Padded with spaces to a multiple of 8, so that the data is aligned.
std::string MakeHeader(absl::Span<const TensorToStore> tensors) {
  nlohmann::ordered_json entries;
  entries["__metadata__"] = {{"format", "pt"}};
  int64_t begin = 0;
  for (const TensorToStore& tensor : tensors) {
    const int64_t end = begin + SizeOf(tensor);
    entries[tensor.name] = {{"dtype", std::string(DtypeName(tensor.dtype))},
                            {"shape", tensor.shape},
                            {"data_offsets", {begin, end}}};
    begin = end;
  }
  std::string header = entries.dump();
  header.resize((header.size() + 7) / 8 * 8, ' ');
  const uint64_t length = header.size();
  std::string bytes(sizeof(length), '\0');
  std::memcpy(bytes.data(), &length, sizeof(length));
  return bytes + header;
}

absl::Status WriteAll(int descriptor, std::string_view bytes,
                      const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t written = write(descriptor, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      return absl::ErrnoToStatus(errno, absl::StrCat("write ", path));
    }
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return absl::OkStatus();
}

absl::Status WriteTo(int descriptor, absl::Span<const TensorToStore> tensors,
                     const std::string& path) {
  COHORT_RETURN_IF_ERROR(WriteAll(descriptor, MakeHeader(tensors), path));
  for (const TensorToStore& tensor : tensors) {
    const std::string_view bytes = tensor.bytes();
    COHORT_CHECK(static_cast<int64_t>(bytes.size()) == SizeOf(tensor));
    COHORT_RETURN_IF_ERROR(WriteAll(descriptor, bytes, path));
  }
  if (fsync(descriptor) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("sync ", path));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status WriteSafetensors(const std::string& path,
                              absl::Span<const TensorToStore> tensors) {
  const int descriptor =
      open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (descriptor < 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("create ", path));
  }
  absl::Status status = WriteTo(descriptor, tensors, path);
  if (close(descriptor) != 0 && status.ok()) {
    status = absl::ErrnoToStatus(errno, absl::StrCat("close ", path));
  }
  return status;
}

}  // namespace cohort
