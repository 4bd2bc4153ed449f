#include <cstdio>
#include <cerrno>
#include <unistd.h>
#include <sys/syscall.h>
int main() {
  char attr[128] = {};
  puts(syscall(SYS_perf_event_open, attr, 0, -1, -1, 0) >= 0 ? "ESCAPED" : "BLOCKED");
}
