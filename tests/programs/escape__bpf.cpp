#include <cstdio>
#include <cerrno>
#include <unistd.h>
#include <sys/syscall.h>
int main() {
  char attr[128] = {};
  puts(syscall(SYS_bpf, 0, attr, sizeof(attr)) >= 0 ? "ESCAPED" : "BLOCKED");
}
