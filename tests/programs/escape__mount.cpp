#include <cstdio>
#include <cerrno>
#include <unistd.h>
#include <sys/syscall.h>
int main() {
  puts(syscall(SYS_mount, "none", "/tmp", "tmpfs", 0, 0) == 0 ? "ESCAPED" : "BLOCKED");
}
