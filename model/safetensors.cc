#include "model/safetensors.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>

#include "absl/strings/str_cat.h"
#include "proto/status.h"

namespace cohort {
namespace {

using nlohmann::json;

constexpr uint64_t kMaxHeaderBytes = 100'000'000;  // As upstream.

struct DtypeEntry {
  Dtype dtype;
  std::string_view name;
  int64_t bytes;
};

constexpr std::array<DtypeEntry, 16> kDtypes = {{
    {Dtype::kBool, "BOOL", 1},
    {Dtype::kU8, "U8", 1},
    {Dtype::kI8, "I8", 1},
    {Dtype::kF8E4M3, "F8_E4M3", 1},
    {Dtype::kF8E5M2, "F8_E5M2", 1},
    {Dtype::kF8E8M0, "F8_E8M0", 1},
    {Dtype::kI16, "I16", 2},
    {Dtype::kU16, "U16", 2},
    {Dtype::kF16, "F16", 2},
    {Dtype::kBf16, "BF16", 2},
    {Dtype::kI32, "I32", 4},
    {Dtype::kU32, "U32", 4},
    {Dtype::kF32, "F32", 4},
    {Dtype::kI64, "I64", 8},
    {Dtype::kU64, "U64", 8},
    {Dtype::kF64, "F64", 8},
}};

absl::Status Malformed(const std::string& file, const std::string& what) {
  return absl::InvalidArgumentError(absl::StrCat(file, ": ", what));
}

// Cuts the header out of the file and checks its length.
absl::StatusOr<std::string_view> HeaderOf(std::string_view bytes,
                                          const std::string& file) {
  if (bytes.size() < 8) {
    return Malformed(file, absl::StrCat("truncated: ", bytes.size(),
                                        " bytes hold no safetensors header"));
  }
  uint64_t length = 0;
  std::memcpy(&length, bytes.data(), sizeof(length));
  if (length > kMaxHeaderBytes) {
    return Malformed(file, absl::StrCat("not safetensors: header of ", length,
                                        " bytes, at most ", kMaxHeaderBytes));
  }
  if (length > bytes.size() - 8) {
    return Malformed(file, absl::StrCat("truncated: header of ", length,
                                        " bytes in a file of ", bytes.size()));
  }
  return bytes.substr(8, length);
}

// JSON with no key twice in its outermost object, which nlohmann-json would let
// pass.
absl::StatusOr<json> ParseHeader(std::string_view header,
                                 const std::string& file) {
  std::set<std::string> seen;
  std::string doubled;
  const auto watch = [&](int depth, json::parse_event_t event, json& value) {
    if (event == json::parse_event_t::key && depth == 1 &&
        !seen.insert(value.get<std::string>()).second && doubled.empty()) {
      doubled = value.get<std::string>();
    }
    return true;
  };
  json parsed = json::parse(header, watch, /*allow_exceptions=*/false);
  if (!parsed.is_object()) {
    return Malformed(file, "not safetensors: its header is no JSON object");
  }
  if (!doubled.empty()) {
    return Malformed(file, absl::StrCat("duplicated tensor ", doubled));
  }
  return parsed;
}

bool ReadNatural(const json& value, int64_t* number) {
  if (!value.is_number_unsigned() ||
      value.get<uint64_t>() > uint64_t{INT64_MAX}) {
    return false;
  }
  *number = value.get<int64_t>();
  return true;
}

absl::StatusOr<StoredTensor> ReadTensor(const std::string& name,
                                        const json& entry,
                                        std::string_view data,
                                        const std::string& file) {
  const auto bad = [&](const std::string& what) {
    return Malformed(file, absl::StrCat(name, ": ", what));
  };
  if (!entry.is_object() || !entry.contains("dtype") ||
      !entry["dtype"].is_string() || !entry.contains("shape") ||
      !entry["shape"].is_array() || !entry.contains("data_offsets") ||
      !entry["data_offsets"].is_array() || entry["data_offsets"].size() != 2) {
    return bad("needs dtype, shape and data_offsets");
  }
  StoredTensor tensor;
  tensor.name = name;
  const std::string dtype = entry["dtype"].get<std::string>();
  const auto* const known =
      std::find_if(kDtypes.begin(), kDtypes.end(),
                   [&](const DtypeEntry& e) { return e.name == dtype; });
  if (known == kDtypes.end()) {
    return bad(absl::StrCat("unknown dtype ", entry["dtype"].dump()));
  }
  tensor.dtype = known->dtype;
  int64_t size = known->bytes;
  for (const json& dimension : entry["shape"]) {
    int64_t length = 0;
    if (!ReadNatural(dimension, &length) ||
        __builtin_mul_overflow(size, length, &size)) {
      return bad(absl::StrCat("impossible shape ", entry["shape"].dump()));
    }
    tensor.shape.push_back(length);
  }
  int64_t begin = 0;
  int64_t end = 0;
  if (!ReadNatural(entry["data_offsets"][0], &begin) ||
      !ReadNatural(entry["data_offsets"][1], &end) || begin > end) {
    return bad(
        absl::StrCat("impossible data_offsets ", entry["data_offsets"].dump()));
  }
  if (end > static_cast<int64_t>(data.size())) {
    return bad(absl::StrCat("ends at byte ", end, " of ", data.size(),
                            ": the file is truncated"));
  }
  if (end - begin != size) {
    return bad(
        absl::StrCat("has ", end - begin, " bytes, its shape needs ", size));
  }
  tensor.bytes =
      data.substr(static_cast<size_t>(begin), static_cast<size_t>(end - begin));
  return tensor;
}

// Tensors must fill the data without gap or overlap.
absl::Status CheckLayout(const std::vector<StoredTensor>& tensors,
                         std::string_view data, const std::string& file) {
  std::vector<const StoredTensor*> by_place;
  for (const StoredTensor& tensor : tensors) by_place.push_back(&tensor);
  std::sort(by_place.begin(), by_place.end(),
            [](const StoredTensor* a, const StoredTensor* b) {
              return std::pair(a->bytes.data(), a->bytes.size()) <
                     std::pair(b->bytes.data(), b->bytes.size());
            });
  const char* place = data.data();
  for (const StoredTensor* const tensor : by_place) {
    if (tensor->bytes.data() != place) {
      return Malformed(
          file, absl::StrCat(tensor->name, tensor->bytes.data() < place
                                               ? ": overlaps another tensor"
                                               : ": leaves a gap before it"));
    }
    place += tensor->bytes.size();
  }
  if (place != data.data() + data.size()) {
    return Malformed(file, absl::StrCat(data.data() + data.size() - place,
                                        " bytes belong to no tensor"));
  }
  return absl::OkStatus();
}

}  // namespace

std::string_view DtypeName(Dtype dtype) {
  return kDtypes[static_cast<size_t>(dtype)].name;
}

int64_t DtypeBytes(Dtype dtype) {
  return kDtypes[static_cast<size_t>(dtype)].bytes;
}

int64_t StoredTensor::Elements() const {
  return static_cast<int64_t>(bytes.size()) / DtypeBytes(dtype);
}

absl::StatusOr<std::unique_ptr<SafetensorsFile>> SafetensorsFile::Parse(
    std::string_view bytes, const std::string& name) {
  COHORT_ASSIGN_OR_RETURN(const std::string_view header, HeaderOf(bytes, name));
  COHORT_ASSIGN_OR_RETURN(const json entries, ParseHeader(header, name));
  const std::string_view data = bytes.substr(8 + header.size());
  std::unique_ptr<SafetensorsFile> file(new SafetensorsFile);
  for (const auto& [key, entry] : entries.items()) {
    if (key == "__metadata__") continue;
    COHORT_ASSIGN_OR_RETURN(StoredTensor tensor,
                            ReadTensor(key, entry, data, name));
    file->tensors_.push_back(std::move(tensor));
  }
  COHORT_RETURN_IF_ERROR(CheckLayout(file->tensors_, data, name));
  return file;
}

absl::StatusOr<std::unique_ptr<SafetensorsFile>> SafetensorsFile::Open(
    const std::string& path) {
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("open ", path));
  }
  struct stat facts = {};
  if (fstat(descriptor, &facts) != 0 || !S_ISREG(facts.st_mode)) {
    close(descriptor);
    return Malformed(path, "is not a regular file");
  }
  const size_t size = static_cast<size_t>(facts.st_size);
  if (size == 0) {
    close(descriptor);
    return Malformed(path, "truncated: the file is empty");
  }
  void* const mapping =
      mmap(nullptr, size, PROT_READ, MAP_PRIVATE, descriptor, 0);
  const int error = errno;
  close(descriptor);
  if (mapping == MAP_FAILED) {
    return absl::ErrnoToStatus(error, absl::StrCat("map ", path));
  }
  auto file = Parse({static_cast<const char*>(mapping), size}, path);
  if (!file.ok()) {
    munmap(mapping, size);
    return file.status();
  }
  (*file)->mapping_ = mapping;
  (*file)->mapped_bytes_ = size;
  return file;
}

SafetensorsFile::~SafetensorsFile() {
  if (mapping_ != nullptr) munmap(mapping_, mapped_bytes_);
}

const StoredTensor* SafetensorsFile::Find(std::string_view name) const {
  const auto it = std::lower_bound(
      tensors_.begin(), tensors_.end(), name,
      [](const StoredTensor& a, std::string_view b) { return a.name < b; });
  return it != tensors_.end() && it->name == name ? &*it : nullptr;
}

void SafetensorsFile::GiveBack(std::string_view bytes) const {
  if (mapping_ == nullptr || bytes.empty()) return;
  const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  const auto address = reinterpret_cast<uintptr_t>(bytes.data());
  const uintptr_t begin = address & ~(page - 1);
  // Advice: where it is not taken, the pages stay until the file is closed.
  (void)madvise(reinterpret_cast<void*>(begin), address + bytes.size() - begin,
                MADV_DONTNEED);
}

}  // namespace cohort
