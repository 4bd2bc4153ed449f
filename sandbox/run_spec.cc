#include "sandbox/run_spec.h"

#include <cstring>

namespace cohort {
namespace {

constexpr uint32_t kMagic = 0x316e7552;  // "Run1".

template <typename T>
void Put(std::string* out, T value) {
  char bytes[sizeof(T)];
  std::memcpy(bytes, &value, sizeof(T));
  out->append(bytes, sizeof(T));
}

void PutTexts(std::string* out, const std::vector<std::string>& texts) {
  Put(out, static_cast<uint32_t>(texts.size()));
  for (const std::string& text : texts) {
    Put(out, static_cast<uint32_t>(text.size()));
    out->append(text);
  }
}

// Takes values off the front of a message; once something is missing, `ok` is
// false and stays so.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  template <typename T>
  T Take() {
    T value = {};
    if (!Has(sizeof(T))) return value;
    std::memcpy(&value, rest_.data(), sizeof(T));
    rest_.remove_prefix(sizeof(T));
    return value;
  }

  bool TakeBool() {
    const uint8_t value = Take<uint8_t>();
    ok_ = ok_ && value <= 1;
    return value == 1;
  }

  std::vector<std::string> TakeTexts() {
    const uint32_t count = Take<uint32_t>();
    std::vector<std::string> texts;
    for (uint32_t i = 0; i < count && ok_; ++i) {
      const uint32_t size = Take<uint32_t>();
      if (!Has(size)) break;
      const std::string_view text = rest_.substr(0, size);
      ok_ = text.find('\0') == std::string_view::npos;
      texts.emplace_back(text);
      rest_.remove_prefix(size);
    }
    return texts;
  }

  bool AtEnd() const { return ok_ && rest_.empty(); }

 private:
  bool Has(size_t size) {
    ok_ = ok_ && rest_.size() >= size;
    return ok_;
  }

  std::string_view rest_;
  bool ok_ = true;
};

bool IsSound(const RunSpec& spec) {
  if (spec.cpu_ns < 1 || spec.wall_ns < 1 || spec.wall_most_ns < 1 ||
      spec.memory_bytes < 1 || spec.disk_bytes < 1 || spec.processes < 1 ||
      spec.descriptors < 1) {
    return false;
  }
  if ((spec.fences & ~uint32_t{kAllFences}) != 0) return false;
  for (const std::string& name : spec.files) {
    if (!IsPlainFileName(name)) return false;
  }
  return !spec.argv.empty();
}

}  // namespace

bool IsPlainFileName(std::string_view name) {
  return !name.empty() && name.size() <= 100 && name[0] != '.' &&
         name.find_first_of(std::string_view("/\0", 2)) ==
             std::string_view::npos;
}

std::string SerializeRunSpec(const RunSpec& spec) {
  std::string out;
  Put(&out, kMagic);
  Put(&out, spec.id);
  Put(&out, spec.cpu_ns);
  Put(&out, spec.wall_ns);
  Put(&out, spec.wall_most_ns);
  Put(&out, spec.memory_bytes);
  Put(&out, spec.disk_bytes);
  Put(&out, spec.processes);
  Put(&out, spec.descriptors);
  Put(&out, spec.fences);
  Put(&out, spec.filter);
  Put(&out, spec.zygote);
  Put(&out, static_cast<uint8_t>(spec.has_channel));
  Put(&out, static_cast<uint8_t>(spec.has_program));
  PutTexts(&out, spec.argv);
  PutTexts(&out, spec.env);
  PutTexts(&out, spec.files);
  Put(&out, spec.uid);
  Put(&out, static_cast<uint8_t>(spec.as_root));
  PutTexts(&out, spec.readable);
  return out;
}

std::optional<RunSpec> ParseRunSpec(std::string_view bytes) {
  if (bytes.size() > kMaxRunSpecBytes) return std::nullopt;
  Reader reader(bytes);
  if (reader.Take<uint32_t>() != kMagic) return std::nullopt;
  RunSpec spec;
  spec.id = reader.Take<uint64_t>();
  spec.cpu_ns = reader.Take<int64_t>();
  spec.wall_ns = reader.Take<int64_t>();
  spec.wall_most_ns = reader.Take<int64_t>();
  spec.memory_bytes = reader.Take<int64_t>();
  spec.disk_bytes = reader.Take<int64_t>();
  spec.processes = reader.Take<int32_t>();
  spec.descriptors = reader.Take<int32_t>();
  spec.fences = reader.Take<uint32_t>();
  spec.filter = reader.Take<uint32_t>();
  spec.zygote = reader.Take<uint32_t>();
  spec.has_channel = reader.TakeBool();
  spec.has_program = reader.TakeBool();
  spec.argv = reader.TakeTexts();
  spec.env = reader.TakeTexts();
  spec.files = reader.TakeTexts();
  spec.uid = reader.Take<uint32_t>();
  spec.as_root = reader.TakeBool();
  spec.readable = reader.TakeTexts();
  if (!reader.AtEnd() || !IsSound(spec)) return std::nullopt;
  return spec;
}

}  // namespace cohort
