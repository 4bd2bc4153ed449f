#include <cstdio>
#include <fcntl.h>
#include <signal.h>
int main() {
  signal(SIGXFSZ, SIG_IGN);
  int fd = open("f", O_RDWR | O_CREAT, 0600);
  puts(posix_fallocate(fd, 0, 1ll << 32) == 0 ? "ESCAPED" : "BLOCKED");
}
