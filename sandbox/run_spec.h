// What the launcher is asked to run, as one message. Nothing here allocates
// beyond the message's size, and nothing in a message is trusted.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cohort {

// What stands between a run and the machine. Pid and mount namespaces are
// always there: nothing works without them.
enum Fence : uint32_t {
  kFenceNetwork = 1 << 0,   // A network namespace with nothing in it.
  kFenceIpc = 1 << 1,       // System V and POSIX queues of its own.
  kFenceUts = 1 << 2,       // A host name of its own.
  kFenceCgroup = 1 << 3,    // Memory, process and CPU counters; a namespace.
  kFenceUser = 1 << 4,      // A uid of its own, no capabilities.
  kFenceSeccomp = 1 << 5,   // An allow list of system calls.
  kFenceLandlock = 1 << 6,  // Paths by kind of access, no TCP, no signals out.
  kFenceRlimits = 1 << 7,   // Per-process limits, as a backstop.
  kAllFences = (1 << 8) - 1,
};

struct RunSpec {
  uint64_t id = 0;
  int64_t cpu_ns = 0;
  int64_t wall_ns = 0;
  int64_t wall_most_ns = 0;  // On a machine that is too busy.
  int64_t memory_bytes = 0;
  int64_t disk_bytes = 0;
  int32_t processes = 0;
  int32_t descriptors = 0;
  uint32_t fences = kAllFences;
  uint32_t filter = 0;  // Which of the launcher's system call filters.
  // 0: executes `argv`. Otherwise the zygote of that number, from 1, continues
  // with `argv` as its instructions.
  uint32_t zygote = 0;
  bool has_channel = false;  // A socket, descriptor 3 of the program.
  bool has_program = false;  // A descriptor to execute, not argv[0].

  std::vector<std::string> argv;
  std::vector<std::string> env;    // "NAME=value".
  std::vector<std::string> files;  // Plain names, put into the work folder.

  // The rest is the launcher's own business; what a message says is ignored.
  uint32_t uid = 0;
  bool as_root = false;               // The launcher may change its uid.
  std::vector<std::string> readable;  // What Landlock lets it read.
};

// The most bytes of a message.
inline constexpr size_t kMaxRunSpecBytes = 128 << 10;

// Little endian, lists as counts and sizes.
std::string SerializeRunSpec(const RunSpec& spec);

// Nothing where `bytes` is no message, or asks for what cannot be: text with
// NUL bytes, a file outside its folder, limits below 1.
std::optional<RunSpec> ParseRunSpec(std::string_view bytes);

// Whether `name` can be a file of the work folder: no slash, not hidden.
bool IsPlainFileName(std::string_view name);

}  // namespace cohort
