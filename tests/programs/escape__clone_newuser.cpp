#include <cstdio>
#include <cerrno>
#include <unistd.h>
#include <sys/syscall.h>
#include <signal.h>
int main() {
  long pid = syscall(SYS_clone, 0x10000000 | SIGCHLD, 0, 0, 0, 0);
  if (pid == 0) _exit(0);
  puts(pid > 0 ? "ESCAPED" : "BLOCKED");
}
