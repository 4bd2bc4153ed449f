#include <cstdio>
#include <cerrno>
#include <unistd.h>
#include <sys/syscall.h>
int main() {
  int fd = syscall(434, 1, 0);
  puts(fd >= 0 && syscall(438, fd, 0, 0) >= 0 ? "ESCAPED" : "BLOCKED");
}
