// The shared library that a warmed interpreter loads: waits for the launcher's
// requests and forks a run for each. It links the same code that the launcher
// spawns runs with.
#include <signal.h>
#include <unistd.h>

#include <cstring>

#include "sandbox/spawn.h"

namespace {

constexpr int kSocket = 3;

}  // namespace

extern "C" {

// Serves requests until one becomes this process: in a run's program, behind
// all its fences, writes the run's arguments, each ended by a NUL, to `text`
// and returns their bytes. -1 where the launcher is gone, or they do not fit.
__attribute__((visibility("default"))) long cohort_next_run(char* text,
                                                            long capacity) {
  signal(SIGCHLD, SIG_IGN);  // Nobody waits here; the launcher has pidfds.
  while (true) {
    std::optional<cohort::FdMessage> message =
        cohort::ReceiveFdMessage(kSocket);
    if (!message.has_value()) return -1;
    const std::optional<cohort::RunSpec> spec =
        cohort::ParseRunSpec(message->bytes);
    if (!spec.has_value() ||
        message->fds.size() < cohort::RequestFds(*spec, true, 0)) {
      return -1;
    }
    const cohort::Spawned spawned = cohort::SpawnRun(
        *spec, cohort::ArrangeFds(*spec, *message, /*launcher=*/true));
    if (spawned.in_program) {
      long size = 0;
      for (const std::string& argument : spec->argv) {
        const long bytes = static_cast<long>(argument.size()) + 1;
        if (size + bytes > capacity) return -1;
        std::memcpy(text + size, argument.c_str(), static_cast<size_t>(bytes));
        size += bytes;
      }
      // Closed with the other descriptors, whose numbers may be new ones' now.
      for (cohort::Descriptor& fd : message->fds) fd.Release();
      return size;
    }
    std::vector<int> fds;
    if (spawned.pid >= 0) fds.push_back(spawned.pidfd);
    const uint64_t id = spec->id;
    cohort::SendFdMessage(
        kSocket,
        std::string_view(reinterpret_cast<const char*>(&id), sizeof(id)), fds);
    if (spawned.pid >= 0) close(spawned.pidfd);
  }
}

}  // extern "C"
