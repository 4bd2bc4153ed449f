#include <cstdio>
#include <cerrno>
#include <unistd.h>
#include <sys/syscall.h>
int main() {
  struct { unsigned long flags, a[10]; } args = {};
  args.flags = 0x10000000;
  long pid = syscall(435, &args, 88);
  if (pid == 0) _exit(0);
  puts(pid > 0 ? "ESCAPED" : "BLOCKED");
}
