#include <cstdio>
#include <cerrno>
#include <unistd.h>
#include <sys/syscall.h>
#include <fcntl.h>
int main() {
  int fd = open("/proc/1/ns/mnt", O_RDONLY);
  puts(fd >= 0 && syscall(SYS_setns, fd, 0) == 0 ? "ESCAPED" : "BLOCKED");
}
