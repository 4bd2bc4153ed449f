#include <cstdio>
#include <cerrno>
#include <unistd.h>
#include <sys/syscall.h>
int main() {
  puts(chroot("/tmp") == 0 ? "ESCAPED" : "BLOCKED");
}
