// cohort-launcher: started by a sandbox, never by hand.
#include <sys/prctl.h>

#include <csignal>
#include <cstdio>
#include <optional>
#include <string>
#include <vector>

#include "proto/flags.h"
#include "sandbox/fd_message.h"
#include "sandbox/launcher.h"

int main(int argc, char** argv) {
  cohort::LauncherOptions options;
  cohort::FlagParser parser("launcher", "Starts runs for a sandbox.");
  parser.Flag("socket", &options.socket, "FD", "where requests come from");
  parser.Flag("slots", &options.slots, "N", "runs at a time");
  parser.Flag("mount", &options.mounts, "PATH", "what runs may read");
  parser.Flag("filter", &options.filters, "CALLS", "one filter's extra calls");
  parser.Flag("zygote", &options.zygotes, "PATH", "an interpreter to warm");
  parser.Flag("zygote-library", &options.zygote_library, "PATH",
              "what zygotes load");
  const std::vector<std::string> args(argv + 1, argv + argc);
  if (const std::optional<int> exit = parser.Parse(args)) return *exit;
  const absl::StatusOr<std::unique_ptr<cohort::Launcher>> launcher =
      cohort::Launcher::Make(options);
  if (!launcher.ok()) {
    cohort::SendFdMessage(
        options.socket,
        "broken launcher " + std::string(launcher.status().message()) + "\n",
        {});
    return cohort::kExitFailed;
  }
  (*launcher)->Serve();
  return 0;
}
