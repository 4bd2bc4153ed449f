// Starts a child that would run for ever, says its id, and waits to be killed.
#include <unistd.h>

#include <cstdio>

#include "proto/child_process.h"

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const absl::StatusOr<cohort::ChildProcess> child =
      cohort::ChildProcess::Start({"sleep", "1000"}, argv[1]);
  if (!child.ok()) return 1;
  std::printf("child %d\n", child->pid());
  std::fflush(stdout);
  pause();
}
