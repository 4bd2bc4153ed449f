#include <cstdio>
#include <cerrno>
#include <unistd.h>
#include <sys/syscall.h>
#include <sys/ioctl.h>
int main() {
  int n = 0;
  for (int fd = 0; fd < 64; ++fd) if (ioctl(fd, TIOCSTI, "x") == 0) ++n;
  puts(n ? "ESCAPED" : "BLOCKED");
}
