#include <cstdio>
#include <cerrno>
#include <unistd.h>
#include <sys/syscall.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
int main() {
  int ok = mknod("/tmp/d", S_IFBLK | 0600, makedev(254, 0)) == 0 && open("/tmp/d", O_RDONLY) >= 0;
  puts(ok ? "ESCAPED" : "BLOCKED");
}
