#include "learner/tensorboard_events.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "learner/tensorboard.pb.h"
#include "learner/whole_write.h"
#include "proto/status.h"

namespace cohort {
namespace {

constexpr std::array<uint32_t, 256> MakeCrcTable() {
  std::array<uint32_t, 256> table{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) {
      crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82f63b78u : 0u);
    }
    table[byte] = crc;
  }
  return table;
}

constexpr std::array<uint32_t, 256> kCrcTable = MakeCrcTable();

// A file that holds checksums of data that holds checksums: TFRecord rotates
// and offsets them, so that these stay different.
uint32_t MaskedCrc(std::string_view data) {
  const uint32_t crc = Crc32c(data);
  return ((crc >> 15) | (crc << 17)) + 0xa282ead8u;
}

template <typename Int>
std::string LittleEndian(Int value) {
  std::string bytes;
  for (size_t i = 0; i < sizeof(Int); ++i) {
    bytes.push_back(static_cast<char>((value >> (8 * i)) & 0xff));
  }
  return bytes;
}

double Seconds(absl::Time time) {
  return absl::ToDoubleSeconds(time - absl::UnixEpoch());
}

std::string HostName() {
  std::array<char, 256> name{};
  return gethostname(name.data(), name.size() - 1) == 0 ? name.data()
                                                        : "localhost";
}

}  // namespace

uint32_t Crc32c(std::string_view data) {
  uint32_t crc = 0xffffffffu;
  for (const char c : data) {
    crc = (crc >> 8) ^ kCrcTable[(crc ^ static_cast<unsigned char>(c)) & 0xff];
  }
  return ~crc;
}

absl::StatusOr<std::unique_ptr<TensorBoardEvents>> TensorBoardEvents::Open(
    const std::string& dir, int64_t first_step, absl::Time now) {
  std::error_code error;
  std::filesystem::create_directories(dir, error);
  if (error) {
    return absl::ErrnoToStatus(error.value(),
                               absl::StrCat(dir, ": cannot make the folder"));
  }
  // TensorBoard reads the files of a folder in the order of their names, so
  // the file of a resumed run must sort after those before it.
  int64_t number = 0;
  for (const auto& entry : std::filesystem::directory_iterator(dir, error)) {
    number += entry.is_regular_file(error) ? 1 : 0;
  }
  const std::string path =
      absl::StrFormat("%s/events.out.tfevents.%010d.%s.%d.%03d", dir,
                      absl::ToUnixSeconds(now), HostName(), getpid(), number);
  const int fd = open(path.c_str(),
                      O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0644);
  if (fd < 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat(path, ": cannot create"));
  }
  auto events =
      std::unique_ptr<TensorBoardEvents>(new TensorBoardEvents(fd, path));

  tensorboard::Event version;
  version.set_wall_time(Seconds(now));
  version.set_file_version("brain.Event:2");
  COHORT_RETURN_IF_ERROR(events->WriteRecord(version.SerializeAsString()));
  tensorboard::Event start;
  start.set_wall_time(Seconds(now));
  start.set_step(first_step);
  start.mutable_session_log()->set_status(tensorboard::SessionLog::START);
  COHORT_RETURN_IF_ERROR(events->WriteRecord(start.SerializeAsString()));
  return events;
}

TensorBoardEvents::TensorBoardEvents(int fd, std::string path)
    : fd_(fd), path_(std::move(path)) {}

TensorBoardEvents::~TensorBoardEvents() { close(fd_); }

absl::Status TensorBoardEvents::Write(
    int64_t step, absl::Time now,
    const std::vector<std::pair<std::string, double>>& values) {
  tensorboard::Event event;
  event.set_wall_time(Seconds(now));
  event.set_step(step);
  for (const auto& [name, number] : values) {
    tensorboard::Summary::Value& value = *event.mutable_summary()->add_value();
    value.set_tag(name);
    value.set_simple_value(static_cast<float>(number));
  }
  return WriteRecord(event.SerializeAsString());
}

absl::Status TensorBoardEvents::WriteRecord(const std::string& data) {
  const std::string length = LittleEndian(uint64_t{data.size()});
  return WriteWhole(fd_,
                    absl::StrCat(length, LittleEndian(MaskedCrc(length)), data,
                                 LittleEndian(MaskedCrc(data))),
                    path_);
}

}  // namespace cohort
