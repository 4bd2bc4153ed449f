#include <cstdio>
#include <cerrno>
#include <unistd.h>
#include <sys/syscall.h>
#include <fcntl.h>
int main() {
  puts(open("/proc/1/mem", O_RDWR) >= 0 || open("/proc/1/environ", O_RDONLY) >= 0 ? "ESCAPED" : "BLOCKED");
}
