#include <cstdio>
#include <cerrno>
#include <unistd.h>
#include <sys/syscall.h>
int main() {
  puts(syscall(SYS_pivot_root, "/", "/tmp") == 0 ? "ESCAPED" : "BLOCKED");
}
